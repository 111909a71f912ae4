import { checkCallOptions, FETCH_OPTIONS, FETCH_VAL_OPTIONS, signalOf, timeoutOf } from './call-arguments'
import { planFor, type ResultOptions, type ResultPlan, valuePlanFor } from './decode/mapping'
import { InterfaceError } from './errors/index'
import type { BatchRequest, Request, Target } from './native/door'
import type { CallOptions, FetchOptions, FetchValOptions, Parameters } from './query-options'
import { describeArgument } from './types/describe-value'

/** What calls have when they say nothing else; of a connection or a pool. */
export class CallDefaults {
  readonly plan: ResultPlan
  /** The plan of `fetchVal`, which reads one value by its position. */
  readonly valuePlan: ResultPlan
  readonly commandTimeoutMs: number

  constructor(plan: ResultPlan, commandTimeoutMs: number) {
    this.plan = plan
    this.valuePlan = valuePlanFor(plan)
    this.commandTimeoutMs = commandTimeoutMs
  }
}

/** What queries are sent through. */
export interface QueryHost {
  /**
   * @internal Where requests go.
   * @throws InterfaceError or ConnectionDoesNotExistError when they no longer can.
   */
  _target(): Target
  /** @internal */
  readonly _defaults: CallDefaults
}

/** Sends a query whose rows are wanted, at most `maxRows` of them (0: all). */
export function sendFetch(
  host: QueryHost,
  text: string,
  params: Parameters | undefined,
  maxRows: number,
  options: FetchOptions | undefined,
): Request {
  checkCallOptions(options, FETCH_OPTIONS)
  const { plan, commandTimeoutMs } = host._defaults
  const timeoutMs = timeoutOf(options, commandTimeoutMs)
  return host._target().query(text, params, maxRows, timeoutMs, planFor(plan, options), signalOf(options))
}

/** Sends a query of which one value is wanted. */
export function sendFetchVal(
  host: QueryHost,
  text: string,
  params: Parameters | undefined,
  options: FetchValOptions | undefined,
): Request {
  checkCallOptions(options, FETCH_VAL_OPTIONS)
  checkColumn(options?.column)
  const { valuePlan, commandTimeoutMs } = host._defaults
  const timeoutMs = timeoutOf(options, commandTimeoutMs)
  const plan = planFor(valuePlan, options as ResultOptions | undefined)
  return host._target().query(text, params, 1, timeoutMs, plan, signalOf(options))
}

/** Starts a batch whose rows are wanted. */
export function sendFetchMany(
  host: QueryHost,
  text: string,
  options: FetchOptions | undefined,
): BatchRequest {
  checkCallOptions(options, FETCH_OPTIONS)
  const { plan, commandTimeoutMs } = host._defaults
  const timeoutMs = timeoutOf(options, commandTimeoutMs)
  return host._target().batch(text, true, timeoutMs, planFor(plan, options), signalOf(options))
}

/** Starts a batch whose rows are not wanted. */
export function sendExecuteMany(
  host: QueryHost,
  text: string,
  options: CallOptions | undefined,
): BatchRequest {
  const { plan, commandTimeoutMs } = host._defaults
  const timeoutMs = timeoutOf(options, commandTimeoutMs)
  return host._target().batch(text, false, timeoutMs, plan, signalOf(options))
}

/** The value that `fetchVal` gives. */
export function firstValue(request: Request, column: number | string | undefined): unknown {
  const row = request.rows[0] as readonly unknown[] | undefined
  if (row === undefined) return null
  if (column === undefined && row.length > 0) return row[0]
  const position = typeof column === 'string' ? positionOf(request, column) : (column ?? 0)
  if (position < 0 || position >= row.length) {
    throw new InterfaceError(
      `there is no column ${describeArgument(column ?? 0)}: the row has ${row.length} columns`,
      {
        safeToRetry: false,
      },
    )
  }
  return row[position]
}

function positionOf(request: Request, name: string): number {
  return request.description?.columns.findIndex((column) => column.name === name) ?? -1
}

function checkColumn(column: unknown): void {
  if (column === undefined || typeof column === 'string') return
  if (!Number.isInteger(column) || (column as number) < 0) {
    throw new InterfaceError(
      `option 'column' must be a name or a position from 0, not ${describeArgument(column)}`,
    )
  }
}
