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
  type ResultForm,
  type ScriptOptions,
  type StatementOptions,
  type Target,
} from './native/door'
import type { CallOptions, FetchOptions, FetchValOptions, Parameters } from './query-options'
import { Form } from './types/boundary'
import { describeArgument } from './types/describe-value'

/**
 * What calls have when they say nothing else; of a connection, a pool or a transaction. The options of requests are made here
 * once, each when it is first asked for: a call that gives none makes none, and a transaction only those of its own calls.
 */
export class CallDefaults {
  readonly plan: ResultPlan
  readonly commandTimeoutMs: number
  readonly maxResultBytes: number
  readonly #group: CallGroup | undefined
  #rows: StatementOptions | undefined
  #row: StatementOptions | undefined
  #value: StatementOptions | undefined
  #count: StatementOptions | undefined
  #control: ScriptOptions | undefined

  constructor(plan: ResultPlan, commandTimeoutMs: number, maxResultBytes = 0, group?: CallGroup) {
    this.plan = plan
    this.commandTimeoutMs = commandTimeoutMs
    this.maxResultBytes = maxResultBytes
    this.#group = group
  }

  /** All rows. */
  get rows(): StatementOptions {
    this.#rows ??= this.#statement(this.plan, Form.ROWS, 0)
    return this.#rows
  }

  /** One row. */
  get row(): StatementOptions {
    this.#row ??= this.#statement(this.plan, Form.ROWS, 1)
    return this.#row
  }

  /** The row of which `fetchVal` gives one value, by its position. */
  get value(): StatementOptions {
    this.#value ??= this.#statement(valuePlanFor(this.plan), Form.ROWS, 1)
    return this.#value
  }

  /** No rows. */
  get count(): StatementOptions {
    this.#count ??= this.#statement(this.plan, Form.COUNT, 0)
    return this.#count
  }

  /** Commands of the driver's own. */
  get control(): ScriptOptions {
    this.#control ??= {
      timeoutMs: this.commandTimeoutMs,
      signal: undefined,
      group: this.#group,
      isControl: true,
    }
    return this.#control
  }

  /** The same of calls that end with a group at the latest. */
  within(group: CallGroup): CallDefaults {
    return new CallDefaults(this.plan, this.commandTimeoutMs, this.maxResultBytes, group)
  }

  #statement(plan: ResultPlan, form: ResultForm, maxRows: number): StatementOptions {
    const { commandTimeoutMs: timeoutMs, maxResultBytes } = this
    const guard = form === Form.COUNT ? 0 : maxResultBytes
    return { timeoutMs, signal: undefined, group: this.#group, plan, form, maxRows, maxResultBytes: guard }
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
