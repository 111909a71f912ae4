import { ClientConfigurationError } from '../errors/index'
import { describeArgument } from '../types/describe-value'
import { ParameterMode } from '../types/parameter-mode'
import { hasRuntimeTemporal, missingFromTemporal, type TemporalNamespace } from './temporal'

/** What a row is: a plain object literal, a {@link Row}, or an array of values. */
export type RowMode = 'object' | 'record' | 'array'

/** What a composite value within a row is: a plain object literal, or a {@link Row}. */
export type PartMode = 'object' | 'record'

/** Turns the text of a value into what the application wants to have. */
export type TextParser = (text: string) => unknown

/** How values of some types are given to JavaScript; what is left out keeps the default. */
export interface ResultMapping {
  /** Default `'number-or-bigint'`: a number while it is a safe integer, else a bigint. `'number'` may round. */
  int8?: 'number-or-bigint' | 'bigint' | 'number' | 'string' | undefined
  /** Default `'string'`, exact. `'number'` may round; a function gets the text. */
  numeric?: 'string' | 'number' | TextParser | undefined
  /**
   * json and jsonb. Default `'parse'` (`JSON.parse`); a function gets the text. With `'string'`, strings within arrays
   * and composite values that are parameters are JSON text too.
   */
  json?: 'parse' | 'string' | TextParser | undefined
  /** Default `'string'`, lower case with hyphens. `'buffer'` is a Buffer of 16 bytes. */
  uuid?: 'string' | 'buffer' | undefined
  /** Default `'string'`. `'date'` is UTC midnight; `'temporal'` a Temporal.PlainDate. */
  date?: 'string' | 'date' | 'temporal' | undefined
  /** Default `'string'`. `'temporal'` is a Temporal.PlainTime. timetz is always a string: Temporal has no such type. */
  time?: 'string' | 'temporal' | undefined
  /**
   * Default `'date'`, read as UTC; with `'local'` it is the clock of the process's time zone, in Dates that are
   * parameters as well. `'micros'` is a bigint of
   * microseconds since 1970, `'string'` PostgreSQL's ISO text, `'temporal'` a Temporal.PlainDateTime.
   */
  timestamp?: 'date' | 'string' | 'micros' | 'local' | 'temporal' | undefined
  /** Default `'date'`. `'micros'` as above, `'string'` is in UTC, `'temporal'` a Temporal.Instant. */
  timestamptz?: 'date' | 'string' | 'micros' | 'temporal' | undefined
  /**
   * Default `'interval'`: an {@link Interval}. `'string'` is ISO 8601, `'temporal'` a Temporal.Duration, which cannot
   * hold an interval of mixed signs.
   */
  interval?: 'interval' | 'string' | 'temporal' | undefined
  /** bit and varbit. Default `'bitstring'`: a {@link BitString}. */
  bit?: 'bitstring' | 'string' | undefined
  /** The Temporal that `'temporal'` means, such as a polyfill's. Default: the runtime's. */
  temporal?: TemporalNamespace | undefined
}

/** What is chosen by a word or a parser. */
type MappingChoices = Omit<ResultMapping, 'temporal'>

/** A mapping with every default filled in. */
export type CompleteResultMapping = {
  readonly [K in keyof MappingChoices]-?: Exclude<MappingChoices[K], undefined>
} & { readonly temporal: TemporalNamespace | undefined }

/** What decides how rows are made: the row mode and the mapping. Immutable. */
export interface ResultPlan {
  readonly rowMode: RowMode
  /** What composite values are: in rows that are objects or Rows the same. */
  readonly partMode: PartMode
  readonly mapping: CompleteResultMapping
  /** The bits of {@link ParameterMode}: how parameters are meant where results are given so. */
  readonly parameterMode: number
  /** Functions of the application's make some of the values. */
  readonly hasParsers: boolean
  /** Plans with the same key make the same rows, but for what their parsers make of texts. */
  readonly key: string
  /** The query is the driver's own: of a type with a codec, values are the text, Buffer or tuple that it would get. */
  readonly passesByCodecs?: true
}

/** Options of a call that belong to the plan. */
export interface ResultOptions extends ResultMapping {
  /** Default `'object'`. */
  rowMode?: RowMode | undefined
}

type MappingKey = keyof MappingChoices

const ROW_MODES: readonly string[] = ['object', 'record', 'array']

/** The accepted words of each mapping, the default first. */
const WORDS: { readonly [K in MappingKey]-?: readonly string[] } = {
  int8: ['number-or-bigint', 'bigint', 'number', 'string'],
  numeric: ['string', 'number'],
  json: ['parse', 'string'],
  uuid: ['string', 'buffer'],
  date: ['string', 'date', 'temporal'],
  time: ['string', 'temporal'],
  timestamp: ['date', 'string', 'micros', 'local', 'temporal'],
  timestamptz: ['date', 'string', 'micros', 'temporal'],
  interval: ['interval', 'string', 'temporal'],
  bit: ['bitstring', 'string'],
}

const MAPPING_KEYS = Object.keys(WORDS) as MappingKey[]

/** Numbers for Temporals, which are the same when they are the same object. */
const objectIds = new WeakMap<object, number>()
let nextObjectId = 1

/** Plain objects with every default of the types page. */
export const DEFAULT_PLAN: ResultPlan = makePlan(
  'object',
  {
    ...(Object.fromEntries(MAPPING_KEYS.map((name) => [name, WORDS[name][0]])) as unknown as Omit<
      CompleteResultMapping,
      'temporal'
    >),
    temporal: undefined,
  },
  'object',
)

/**
 * The plan of a call: `base` with the options laid over it. Other options in the object are ignored.
 *
 * @returns `base` itself when the options change nothing.
 * @throws ClientConfigurationError when an option has a value it cannot have, or asks for Temporal where there is none.
 */
export function planFor(base: ResultPlan, options: ResultOptions | undefined): ResultPlan {
  if (options === undefined) return base
  let rowMode = base.rowMode
  if (options.rowMode !== undefined && options.rowMode !== rowMode) {
    if (!ROW_MODES.includes(options.rowMode)) throw badOption('rowMode', ROW_MODES, false, options.rowMode)
    rowMode = options.rowMode
  }
  let changes: Partial<{ [name in keyof ResultMapping]: unknown }> | undefined
  const temporal = options.temporal === undefined ? base.mapping.temporal : options.temporal
  if (temporal !== base.mapping.temporal) {
    checkTemporal(temporal)
    changes = { temporal }
  }
  for (const name of MAPPING_KEYS) {
    const choice = options[name]
    if (choice === undefined || choice === base.mapping[name]) continue
    checkChoice(name, choice, temporal)
    changes ??= {}
    changes[name] = choice
  }
  if (changes === undefined && rowMode === base.rowMode) return base
  const mapping = { ...base.mapping, ...changes } as CompleteResultMapping
  return makePlan(rowMode, mapping, rowMode === 'array' ? base.partMode : rowMode)
}

/** The plan that reads single values as `base` would have them in its rows. */
export function valuePlanFor(base: ResultPlan): ResultPlan {
  return makePlan('array', base.mapping, base.partMode)
}

/** The plan for a query of the driver's own, which the application's codecs do not concern. */
export function planWithoutCodecs(plan: ResultPlan): ResultPlan {
  return Object.freeze({ ...plan, key: `${plan.key} without codecs`, passesByCodecs: true })
}

function makePlan(rowMode: RowMode, mapping: CompleteResultMapping, partMode: PartMode): ResultPlan {
  const choices: string[] = MAPPING_KEYS.map((name) => {
    const choice = mapping[name]
    // Which function it is, is the call's affair: one that is written inline is another one each time.
    return typeof choice === 'function' ? 'parser' : choice
  })
  if (mapping.temporal !== undefined) choices.push(`#${objectId(mapping.temporal)}`)
  const key = `${rowMode} ${partMode} ${choices.join(' ')}`
  const parameterMode = parameterModeOf(mapping)
  const hasParsers = typeof mapping.numeric === 'function' || typeof mapping.json === 'function'
  return Object.freeze({ rowMode, partMode, mapping: Object.freeze(mapping), parameterMode, hasParsers, key })
}

function parameterModeOf({ timestamp, json }: CompleteResultMapping): number {
  const isLocal = timestamp === 'local' ? ParameterMode.LOCAL_TIMESTAMPS : 0
  return json === 'string' ? isLocal | ParameterMode.JSON_TEXT : isLocal
}

function objectId(object: object): number {
  let id = objectIds.get(object)
  if (id === undefined) {
    id = nextObjectId++
    objectIds.set(object, id)
  }
  return id
}

function checkChoice(name: MappingKey, choice: unknown, temporal: TemporalNamespace | undefined): void {
  const takesParser = name === 'numeric' || name === 'json'
  if (typeof choice === 'function' && takesParser) return
  const words = WORDS[name]
  if (typeof choice !== 'string' || !words.includes(choice)) throw badOption(name, words, takesParser, choice)
  if (choice === 'temporal' && temporal === undefined && !hasRuntimeTemporal()) {
    throw new ClientConfigurationError(
      `option '${name}' is 'temporal', but this runtime has no global Temporal; ` +
        `use one of ${quoteAll(words.filter((word) => word !== 'temporal'))}, ` +
        "or give a polyfill's Temporal as option 'temporal'",
    )
  }
}

function checkTemporal(temporal: unknown): void {
  const missing = missingFromTemporal(temporal)
  if (missing === undefined) return
  throw new ClientConfigurationError(
    `option 'temporal' must be a Temporal namespace, as the runtime or a polyfill has it: ${missing}`,
  )
}

function badOption(name: string, words: readonly string[], takesParser: boolean, value: unknown): Error {
  const expected = `one of ${quoteAll(words)}${takesParser ? ' or a function' : ''}`
  return new ClientConfigurationError(`option '${name}' must be ${expected}, not ${describeArgument(value)}`)
}

function quoteAll(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ')
}
