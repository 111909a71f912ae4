import { AsyncResource } from 'node:async_hooks'
import type { ResultPlan } from '../decode/mapping'
import type { Shape } from '../decode/shape'
import { holdBack } from '../encode/hold-back'
import { DataError, type Failure, InterfaceError, InternalClientError } from '../errors/index'
import { isThrown, thrownMessage } from '../errors/thrown-reason'
import { Flag, Form, Opcode, TextMode } from '../types/boundary'
import { hasCodecs } from '../types/type-codec'
import type { CallGroup, GroupMember } from './call-group'
import { commandTag } from './command-tag'
import type { ConnectionTarget } from './connection-target'
import type { Environment } from './environment'
import { type OwnMemoryRow, viewsOf } from './mailbox'
import { checkLength } from './parameters-length'
import type { Description, Query, StatementDescription } from './queries'
import type { StatementOptions } from './request-options'
import { type Abortable, forgetSignal, isTimeOver, watchSignal } from './signals'
import type { Target } from './target'

/** Nothing is to be told when the garbage collector takes a request. */
const NOT_TRACKED = { requireManualDestroy: true }

/** Parameters of a request that has none. */
export const NO_PARAMETERS: readonly unknown[] = Object.freeze([])

/** How statements begin that certainly end no transaction, and what shows that others come behind one. */
const ENDS_NOTHING = /^[\s(]*(?:select|insert|update|delete|merge|with|values|table)\b/i
const HAS_OTHERS = /;\s*\S/

/** Whether a text is one statement that certainly ends no transaction. */
export function endsNothing(text: string): boolean {
  return ENDS_NOTHING.test(text) && !HAS_OTHERS.test(text)
}

/** Where the stack ends, an executor is not called, and its promise rejects. Nobody's promise is fulfilled for it then. */
const NOBODYS = (): void => {}
let lastResolver: () => void = NOBODYS
const rememberResolver = (resolve: () => void): void => {
  lastResolver = resolve
}

/**
 * One request to Rust: from the call to the record that ends it.
 *
 * Its fields are declared alone: what the constructor sets would otherwise be set to undefined before, for each query.
 */
export class Request implements Abortable, GroupMember {
  /** Fulfilled once the outcome is known: {@link failure} is undefined, or says why not. It never rejects. */
  declare settled: Promise<void>
  declare isSettled: boolean
  declare failure: Failure | undefined
  declare rows: unknown[]
  /** Rows that the command tag counts, such as those that an UPDATE changed. */
  declare rowCount: number
  /** The portal has more rows than `maxRows`. */
  declare isSuspended: boolean
  /** Its rows were taken while they came, and after so many nobody wanted the rest. */
  declare leftAfter: number | undefined
  /** The connection that was opened or acquired; of a call on a pool the one that serves it, if {@link tellConnection} was called. */
  declare connection: ConnectionTarget | undefined
  /** The target's id as Rust takes it. */
  declare readonly target: Target | undefined
  /** In flight: what Rust calls this request. 0 before, and once Rust has ended it. */
  declare slot: number
  declare readonly query: Query | undefined
  declare protected readonly environment: Environment
  declare protected statement: StatementDescription | undefined
  declare protected readonly parameterMode: number
  declare private params: readonly unknown[]
  /** The parameters' values are those of the call, whatever the caller does with them. */
  declare private isHeld: boolean
  declare protected plan: ResultPlan | undefined
  declare protected shape: Shape | undefined
  declare private signal: AbortSignal | undefined
  declare private group: CallGroup | undefined
  /** Of a script. */
  declare text: string | undefined
  /** What it fails with unless its answer is there already; Rust looks. */
  declare private expiry: Failure | undefined
  /** The call's context of `AsyncLocalStorage`, where functions of the application's may run for it later. */
  declare protected readonly context: AsyncResource | undefined
  declare private command: number
  declare private tagText: string | undefined
  declare private readonly resolve: () => void

  constructor(
    environment: Environment,
    target: Target | undefined,
    query: Query | undefined,
    params: readonly unknown[],
    plan: ResultPlan | undefined,
  ) {
    this.settled = new Promise(rememberResolver)
    this.isSettled = false
    this.failure = undefined
    this.rows = []
    this.rowCount = 0
    this.isSuspended = false
    this.leftAfter = undefined
    this.connection = undefined
    this.target = target
    this.slot = 0
    this.query = query
    this.environment = environment
    this.statement = undefined
    this.params = params
    this.isHeld = params === NO_PARAMETERS
    this.plan = plan
    this.parameterMode = plan === undefined ? 0 : plan.parameterMode
    this.shape = undefined
    this.signal = undefined
    this.group = undefined
    this.text = undefined
    this.expiry = undefined
    this.context =
      plan !== undefined && (plan.hasParsers || hasCodecs())
        ? new AsyncResource('OXPG_REQUEST', NOT_TRACKED)
        : undefined
    this.command = -1
    this.tagText = undefined
    this.resolve = lastResolver
    lastResolver = NOBODYS
    this.slot = environment.slots.take(this)
  }

  /** What the server says of the statement, once it is known. */
  get description(): Description | undefined {
    return this.statement
  }

  /**
   * The command tag, such as `INSERT 0 1`; empty for an empty query, for one that was cut short, and until the request has
   * ended well.
   */
  tag(): string {
    if (this.isSuspended) return ''
    return this.tagText ?? commandTag(this.command, this.rowCount)
  }

  /** Settles with the signal's reason when it fires. It must not have fired. */
  watch(signal: AbortSignal): void {
    this.signal = signal
    watchSignal(signal, this)
  }

  /** Ends with the group at the latest. */
  join(group: CallGroup): void {
    this.group = group
    group.add(this)
  }

  abortedBySignal(signal: AbortSignal): void {
    if (this.slot !== 0 && isTimeOver(signal)) this.expireBy(signal.reason)
    else this.giveUp(signal.reason)
  }

  /** Nobody waits for it any more, for this reason. */
  giveUp(reason: unknown): void {
    this.endBy(thrown(reason))
  }

  endBy(failure: Failure): void {
    if (this.isSettled) return
    this.abandon()
    this.settle(failure)
  }

  get isCall(): boolean {
    return true
  }

  /** What the application has executed, if it was that. */
  get executed(): string | undefined {
    return this.query?.text ?? this.text
  }

  /** Its failures say which row of its parameters they are of, or which of its statements. */
  get namesRow(): boolean {
    return false
  }

  keepsTransaction(): boolean {
    const text = this.executed
    return text !== undefined && endsNothing(text)
  }

  /** Its time is over: it settles with this reason, or with the answer if that is there. */
  private expireBy(reason: unknown): void {
    if (this.isSettled) return
    this.expiry = thrown(reason)
    this.environment.outbox.command(Opcode.EXPIRE, this.slot, 0, 0, 0, 0)
  }

  /** Writes the QUERY, with the parameters if their types are known. */
  send(options: StatementOptions): void {
    const { outbox } = this.environment
    if (outbox.isEncoding) {
      this.hold()
      this.defer(options)
      return
    }
    const statement = this.query!.description
    if (statement === undefined) {
      this.ask(0, options)
      return
    }
    this.statement = statement
    try {
      outbox.parameters(
        Opcode.QUERY,
        this.slot,
        this.target!.id,
        this.query!.id,
        options.maxRows,
        options.timeoutMs,
        statement.id,
        this.flags(),
        options.form,
        statement.encoderOf(this.parameterMode),
        this.params,
      )
    } catch (error) {
      if (isThrown(error, DataError) || isThrown(error, InterfaceError)) {
        // What is known may be out of date: the server decides, once.
        this.ask(Flag.FRESH, options)
        return
      }
      this.endUnsent(error)
    }
  }

  /** It fails once its rows have more bytes than that, as they come from the server. */
  limit(bytes: number): void {
    if (this.slot === 0) return
    const high = Math.floor(bytes / 4_294_967_296)
    this.environment.outbox.command(Opcode.LIMIT, this.slot, high, bytes, 0, 0)
  }

  /** ROWS: reads them while the mailbox holds them. */
  takeRows(
    rowCount: number,
    firstCell: number,
    textMode: number,
    ownMemory: number,
    extras: readonly unknown[],
  ): void {
    if (this.isSettled || this.failure !== undefined) return
    if (this.context === undefined) this.readRows(rowCount, firstCell, textMode, ownMemory, extras)
    else {
      const { context, readRows } = this
      context.runInAsyncScope(readRows, this, rowCount, firstCell, textMode, ownMemory, extras)
    }
  }

  private readRows(
    rowCount: number,
    firstCell: number,
    textMode: number,
    ownMemory: number,
    extras: readonly unknown[],
  ): void {
    try {
      const plan = this.plan!
      this.shape ??= this.statement!.shapeOf(plan)
      const { mailbox } = this.environment
      if (ownMemory >= 0) this.readHuge(extras[ownMemory] as OwnMemoryRow, plan)
      else if (rowCount === 1 && this.rows.length === 0)
        this.takeFirst(this.shape.readRow(mailbox, firstCell, textMode, extras, plan.mapping))
      else this.shape.readRows(mailbox, firstCell, rowCount, textMode, extras, this.rows, plan.mapping)
    } catch (error) {
      // A parser of the application threw. The server goes on, and the request ends when the server says so.
      this.failure = thrown(error)
      this.rows = []
    }
  }

  /** A row that the mailbox is too small for. */
  private readHuge(row: OwnMemoryRow, plan: ResultPlan): void {
    const textMode = row.isAscii ? TextMode.DIRECT_ASCII : TextMode.DIRECT_UTF8
    this.shape!.readRows(viewsOf(row), 0, 1, textMode, row.extras, this.rows, plan.mapping)
  }

  /** The first row has come, alone: an array that is made with it has no room for seventeen. */
  protected takeFirst(row: unknown): void {
    this.rows = [row]
  }

  /** DESCRIBED: the statement's types, which may be wanted for the parameters. */
  takeDescription(facts: Description | undefined, needsBind: boolean, _part: number): void {
    const statement = facts === undefined ? this.query!.description : this.query!.describe(facts)
    this.statement = statement
    this.shape = undefined
    if (!needsBind || this.isSettled) return
    if (this.context === undefined) this.bind(statement)
    else this.context.runInAsyncScope(this.bind, this, statement)
  }

  /** DRAINED: concerns batches only. */
  takeDrained(): void {}

  /** Before DONE: the tag of a command that has no number of its own. */
  noteTag(tag: string): void {
    this.target?.noteTag(tag)
  }

  /** DONE. */
  complete(command: number, rowCount: number, tagText: string | undefined, isSuspended: boolean): void {
    if (this.isSettled) return
    this.command = command
    this.rowCount = rowCount
    this.tagText = tagText
    this.isSuspended = isSuspended
    this.settle(this.failure)
  }

  /** FAILED. What went wrong here first is what the caller learns. */
  fail(failure: Failure): void {
    if (this.isSettled) return
    const isLate = failure.kind === 'timeout' || failure.kind === 'canceled'
    this.settle(
      this.failure ?? (isLate ? this.expiry : undefined) ?? (this.namesRow ? failure : rowless(failure)),
    )
  }

  /** Rust has ended the request, or never heard of it. */
  freeSlot(): void {
    const { query, slot } = this
    this.slot = 0
    this.environment.slots.release(slot)
    if (query !== undefined) this.target!.queries.release(query)
  }

  /** Rust will never hear of the request: it could not be written. */
  endUnsent(error: unknown): void {
    this.settle(thrown(error))
    if (this.slot !== 0) this.freeSlot()
  }

  /** The outcome is known; later calls do nothing. */
  settle(failure: Failure | undefined): void {
    if (this.isSettled) return
    this.isSettled = true
    this.failure = failure
    if (this.signal !== undefined) forgetSignal(this.signal, this)
    if (this.group !== undefined) this.group.delete(this)
    this.resolve()
  }

  /**
   * Its caller has given up waiting, and it is not taken back: it settles when it is answered, or when the server has been
   * silent for so long that its connection is given up.
   */
  hurry(): void {
    if (this.slot !== 0) this.environment.outbox.command(Opcode.HURRY, this.slot, 0, 0, 0, 0)
  }

  /** Asks for the connection of its pool that serves it. */
  tellConnection(): void {
    if (this.slot !== 0) this.environment.outbox.command(Opcode.OBSERVE, this.slot, 0, 0, 0, 0)
  }

  /** What its QUERY says besides: bits of `Flag`. */
  protected flags(): number {
    return 0
  }

  /** Rows that follow are read by this. */
  protected readBy(statement: StatementDescription): void {
    this.statement = statement
    this.shape = undefined
  }

  /** Tells Rust that nobody waits any more. The slot stays taken until Rust has answered. */
  protected abandon(): void {
    if (this.slot !== 0) this.environment.outbox.command(Opcode.ABANDON, this.slot, 0, 0, 0, 0)
  }

  /** Writes the QUERY without the parameters, which DESCRIBED will ask for. */
  private ask(flags: number, { maxRows, timeoutMs, form }: StatementOptions): void {
    this.statement = undefined
    this.hold()
    const { environment, params, query, slot, target } = this
    environment.outbox.parameters(
      Opcode.QUERY,
      slot,
      target!.id,
      query!.id,
      maxRows,
      timeoutMs,
      0,
      flags | this.flags(),
      form,
      undefined,
      params,
    )
  }

  /** Takes the parameters' values, which are encoded later. */
  private hold(): void {
    if (this.isHeld) return
    this.isHeld = true
    checkLength(this.params)
    this.params = holdBack(this.params).values
  }

  /** Answers a description with the parameters. */
  protected bind(statement: StatementDescription | undefined): void {
    const { outbox } = this.environment
    try {
      if (statement === undefined) throw new InternalClientError('a description that was never sent')
      const { id } = statement
      const encode = statement.encoderOf(this.parameterMode)
      outbox.parameters(Opcode.BIND, this.slot, 0, 0, 0, 0, id, 0, Form.ROWS, encode, this.params)
    } catch (error) {
      outbox.command(Opcode.REFUSE, this.slot, 0, 0, 0, 0)
      this.settle(thrown(error))
    }
  }

  // Apart from `send`, so that calls which are not deferred allocate no context for a closure.
  private defer(options: StatementOptions): void {
    const { context } = this
    this.environment.outbox.defer(
      context === undefined
        ? () => this.send(options)
        : () => context.runInAsyncScope(this.send, this, options),
    )
  }
}

/** A request that ended before it began: its signal had fired already. */
export function abortedRequest(
  environment: Environment,
  target: Target | undefined,
  signal: AbortSignal,
): Request {
  const request = new Request(environment, target, undefined, NO_PARAMETERS, undefined)
  request.freeSlot()
  request.settle(thrown(signal.reason))
  return request
}

/** The failure of a request that code on this side of the boundary ended. */
export function thrown(error: unknown): Failure {
  return {
    kind: 'thrown',
    message: thrownMessage(error) ?? 'aborted',
    safeToRetry: false,
    error,
  }
}

/** What is sent as a group of one, since something is in front of it, is a query. */
function rowless(failure: Failure): Failure {
  if (failure.row === undefined) return failure
  const { row: _, ...rest } = failure
  return rest
}
