import { holdBack } from '../encode/hold-back'
import { isTooLong } from './parameters-length'

const isConstant = (value: unknown): boolean => typeof value !== 'object' || value === null

/**
 * Parameters as they are at the call, for one that is sent later: when its connection has been lent, its statement's turn has come,
 * or its first row is asked for. What is longer than any message is not copied: it is refused then.
 */
export function takenNow(params: readonly unknown[] | undefined): readonly unknown[] | undefined {
  if (params === undefined) return undefined
  return params.every(isConstant) || isTooLong(params) ? params.slice() : holdBack(params).values
}
