import { int8Rounded, int8Value } from './numbers'
import { asideOrNull, directText } from './text'
import { dateOf } from './timestamps'

/** The functions that source fragments may call, by name. */
export const FRAGMENT_FUNCTIONS = { asideOrNull, dateOf, directText, int8Rounded, int8Value } as const
