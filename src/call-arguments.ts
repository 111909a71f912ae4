import { types } from 'node:util'
import { ClientConfigurationError, InterfaceError } from './errors/index'
import { abortSignal, checkOptions, durationMs, wholeNumber } from './options'
import type { CallOptions, Parameters, ParametersList, Query } from './query-options'
import { Sql } from './sql'
import { describeArgument } from './types/describe-value'

/** Names of the options that say how results are mapped. */
export const MAPPING_OPTIONS = [
  'int8',
  'numeric',
  'json',
  'uuid',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'interval',
  'bit',
  'temporal',
] as const

export const CALL_OPTIONS: ReadonlySet<string> = new Set(['timeoutMs', 'signal'])
export const FETCH_OPTIONS: ReadonlySet<string> = new Set([
  ...CALL_OPTIONS,
  'rowMode',
  'maxResultBytes',
  ...MAPPING_OPTIONS,
])
export const FETCH_VAL_OPTIONS: ReadonlySet<string> = new Set([
  ...CALL_OPTIONS,
  'column',
  'maxResultBytes',
  ...MAPPING_OPTIONS,
])
export const STREAM_OPTIONS: ReadonlySet<string> = new Set([...CALL_OPTIONS, 'rowMode', ...MAPPING_OPTIONS])
export const CURSOR_OPTIONS: ReadonlySet<string> = new Set([...FETCH_OPTIONS, 'prefetch'])

/** The text of a query. */
export function textOf(query: Query): string {
  if (typeof query === 'string') return query
  if (query instanceof Sql) return query.text
  throw new InterfaceError(
    `the query must be a string or sql\`…\`, not ${describeArgument(query)}${hintAtConfig(query)}`,
  )
}

/** pg takes the text and the values in one object. */
function hintAtConfig(query: unknown): string {
  if (typeof query !== 'object' || query === null || types.isProxy(query) || !('text' in query)) return ''
  return "; what pg takes as { text, values } are two arguments here: fetch(text, values), with { rowMode: 'array' } after them"
}

/** The text of a query that takes its parameters from elsewhere. */
export function textWithoutParameters(query: Query): string {
  const text = textOf(query)
  if (query instanceof Sql && query.params.length > 0) {
    throw new InterfaceError(
      'the query has values in its sql`…` template; here it takes $1, $2 … placeholders',
    )
  }
  return text
}

/**
 * The parameters of a call, those of a sql`…` among them; undefined when there are none.
 *
 * @throws InterfaceError
 */
export function parametersOf(query: Query, params: Parameters | undefined): Parameters | undefined {
  if (query instanceof Sql) {
    if (params !== undefined) {
      throw new InterfaceError('parameters are given twice: in the sql`…` template and as an argument')
    }
    checkCount(query.params, '')
    return query.params.length === 0 ? undefined : query.params
  }
  checkParameters(params)
  return params
}

/** @throws InterfaceError unless it is an array of no more values than a statement takes, or undefined. */
export function checkParameters(params: unknown): asserts params is Parameters | undefined {
  if (params === undefined) return
  if (!Array.isArray(params)) throw notParameters(params)
  checkCount(params, '')
}

/** The protocol has 16 bits for their number (manual, "Message Formats", Bind). */
const MAX_PARAMETERS = 65_535

function checkCount(params: Parameters, where: string): void {
  if (params.length <= MAX_PARAMETERS) return
  throw new InterfaceError(
    `${where}a statement takes at most ${MAX_PARAMETERS} parameters, not ${params.length}; ` +
      'more values fit into arrays, as in = ANY($1) or unnest($1)',
  )
}

function notParameters(params: unknown): Error {
  const hint =
    typeof params === 'object' && params !== null
      ? '; options are the argument after them'
      : '; the values go into one array, as in fetch(query, [1, 2])'
  return new InterfaceError(`the parameters must be an array, not ${describeArgument(params)}${hint}`)
}

/** @throws InterfaceError unless rows of parameters can be taken from it. */
export function checkParametersList(list: ParametersList): void {
  const isIterable =
    typeof list === 'object' && list !== null && (Symbol.iterator in list || Symbol.asyncIterator in list)
  if (!isIterable) {
    throw new InterfaceError(
      `the rows of parameters must be an iterable of arrays, not ${describeArgument(list)}`,
    )
  }
}

/** @throws InterfaceError unless it is an array of no more values than a statement takes. */
export function checkParametersRow(row: unknown, index: number): asserts row is Parameters {
  if (!Array.isArray(row)) {
    throw new InterfaceError(
      `row ${index}: a row of parameters must be an array, not ${describeArgument(row)}`,
    )
  }
  if (row.length > MAX_PARAMETERS) checkCount(row, `row ${index}: `)
}

/** The time limit of a call: the option, or else the default. */
export function timeoutOf(options: CallOptions | undefined, defaultMs: number): number {
  return options?.timeoutMs === undefined ? defaultMs : durationMs('timeoutMs', options.timeoutMs)
}

/** The limit of a call's result in bytes: the option, or else the default. */
export function maxResultBytesOf(
  options: { maxResultBytes?: number | undefined },
  defaultBytes: number,
): number {
  return options.maxResultBytes === undefined
    ? defaultBytes
    : wholeNumber('maxResultBytes', options.maxResultBytes, 0, Number.MAX_SAFE_INTEGER)
}

/** The signal of a call. */
export function signalOf(options: CallOptions | undefined): AbortSignal | undefined {
  return options?.signal === undefined ? undefined : abortSignal('signal', options.signal)
}

/** Checks the options of a query, which come after its parameters. Without options it costs nothing. */
export function checkQueryOptions(options: object | undefined, known: ReadonlySet<string>): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw notQueryOptions(options)
  checkOptions(options, known, 'options of the call')
}

function notQueryOptions(options: unknown): Error {
  const hint =
    typeof options === 'function'
      ? 'calls take no callback: they give promises'
      : 'the values of a query go into one array, as in fetch(query, [1, 2])'
  return new ClientConfigurationError(
    `options of the call: expected an object of options, not ${describeArgument(options)}; ${hint}`,
  )
}

/** Checks the options of a call against the known names. Without options it costs nothing. */
export function checkCallOptions(options: object | undefined, known: ReadonlySet<string>): void {
  if (options !== undefined) checkOptions(options, known, 'options of the call')
}
