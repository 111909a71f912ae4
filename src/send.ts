import {
  checkQueryOptions,
  FETCH_OPTIONS,
  FETCH_VAL_OPTIONS,
  maxResultBytesOf,
  signalOf,
  timeoutOf,
} from './call-arguments'
import { planFor, type ResultOptions, type ResultPlan, type RowMode, valuePlanFor } from './decode/mapping'
import { InterfaceError } from './errors/index'
import {
  BatchRequest,
  type CallGroup,
  type Request,
  type ScriptOptions,
  type StatementOptions,
  type Target,
} from './native/door'
import type { CallOptions, FetchOptions, FetchValOptions, Parameters } from './query-options'
import { Form } from './types/boundary'
import { describeArgument } from './types/describe-value'

/**
 * What calls have when they say nothing else; of a connection or a pool. The options of requests are made here once:
 * a call that gives none makes none.
 */
export class CallDefaults {
  readonly commandTimeoutMs: number
  readonly maxResultBytes: number
  /** All rows. */
  readonly rows: StatementOptions
  /** One row. */
  readonly row: StatementOptions
  /** The row of which `fetchVal` gives one value, by its position. */
  readonly value: StatementOptions
  /** No rows. */
  readonly count: StatementOptions
  /** Commands of the driver's own. */
  readonly control: ScriptOptions

  constructor(plan: ResultPlan, commandTimeoutMs: number, maxResultBytes = 0, group?: CallGroup) {
    const common = { timeoutMs: commandTimeoutMs, signal: undefined, group }
    const result = { ...common, maxResultBytes }
    this.commandTimeoutMs = commandTimeoutMs
    this.maxResultBytes = maxResultBytes
    this.rows = Object.freeze({ ...result, plan, form: Form.ROWS, maxRows: 0 })
    this.row = Object.freeze({ ...result, plan, form: Form.ROWS, maxRows: 1 })
    this.value = Object.freeze({ ...result, plan: valuePlanFor(plan), form: Form.ROWS, maxRows: 1 })
    this.count = Object.freeze({ ...common, maxResultBytes: 0, plan, form: Form.COUNT, maxRows: 0 })
    this.control = Object.freeze({ ...common, isControl: true })
  }

  /** The same of calls that end with a group at the latest. */
  within(group: CallGroup): CallDefaults {
    return new CallDefaults(this.rows.plan, this.commandTimeoutMs, this.maxResultBytes, group)
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

/** What a call asks for, where it says something else than `given`. */
export function statementOptions(
  given: StatementOptions,
  options: (CallOptions & ResultOptions & { maxResultBytes?: number | undefined }) | undefined,
): StatementOptions {
  if (options === undefined) return given
  return {
    timeoutMs: timeoutOf(options, given.timeoutMs),
    signal: signalOf(options),
    group: given.group,
    plan: planFor(given.plan, options),
    form: given.form,
    maxRows: given.maxRows,
    maxResultBytes: maxResultBytesOf(options, given.maxResultBytes),
  }
}

/** The same of a call that has no options for results. */
export function callOptions(given: StatementOptions, options: CallOptions | undefined): StatementOptions {
  if (options === undefined) return given
  const { group, plan, form, maxRows, maxResultBytes } = given
  const timeoutMs = timeoutOf(options, given.timeoutMs)
  return { timeoutMs, signal: signalOf(options), group, plan, form, maxRows, maxResultBytes }
}

/** Sends a query whose rows are wanted: as many as `defaults`, one of the host's, says. */
export function sendFetch(
  host: QueryHost,
  text: string,
  params: Parameters | undefined,
  options: FetchOptions<RowMode> | undefined,
  defaults: StatementOptions,
): Request {
  checkQueryOptions(options, FETCH_OPTIONS)
  const given = statementOptions(defaults, options)
  return host._target().query(text, params, given)
}

/** Sends a query of which one value is wanted. */
export function sendFetchVal(
  host: QueryHost,
  text: string,
  params: Parameters | undefined,
  options: FetchValOptions | undefined,
): Request {
  checkQueryOptions(options, FETCH_VAL_OPTIONS)
  checkColumn(options?.column)
  const given = statementOptions(host._defaults.value, options)
  return host._target().query(text, params, given)
}

/** Sends a script of any number of statements. */
export function sendScript(host: QueryHost, text: string, options: CallOptions | undefined): Request {
  const given = callOptions(host._defaults.count, options)
  return host._target().script(text, given)
}

/** Sends a query whose rows are not wanted. */
export function sendExecute(
  host: QueryHost,
  text: string,
  params: Parameters | undefined,
  options: CallOptions | undefined,
): Request {
  const given = callOptions(host._defaults.count, options)
  return host._target().query(text, params, given)
}

/** Starts a batch whose rows are wanted. */
export function sendFetchMany(
  host: QueryHost,
  text: string,
  options: FetchOptions<RowMode> | undefined,
): BatchRequest {
  checkQueryOptions(options, FETCH_OPTIONS)
  const given = statementOptions(host._defaults.rows, options)
  return host._target().startFed(BatchRequest, text, given)
}

/** Starts a batch whose rows are not wanted. */
export function sendExecuteMany(
  host: QueryHost,
  text: string,
  options: CallOptions | undefined,
): BatchRequest {
  const given = callOptions(host._defaults.count, options)
  return host._target().startFed(BatchRequest, text, given)
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
