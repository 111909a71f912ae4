import type { ResultPlan } from '../decode/mapping'
import { holdBack } from '../encode/hold-back'
import { DataError, InterfaceError, InternalClientError } from '../errors/index'
import { isThrown } from '../errors/thrown-reason'
import { Flag, Form, Opcode } from '../types/boundary'
import type { Environment } from './environment'
import { checkLength } from './parameters-length'
import type { Description, Query, StatementDescription } from './queries'
import { endsNothing, NO_PARAMETERS, Request, thrown } from './request'
import type { ResultForm } from './request-options'
import type { Target } from './target'

/** A statement of the driver's own that stands in front of others in their Sync group, such as one that makes settings. */
export interface Context {
  readonly query: Query
  /** Its parameters, all of them texts. */
  readonly values: readonly string[]
}

/** A statement that is to be a part of a group. */
export interface GroupStatement {
  readonly text: string
  readonly params: readonly unknown[] | undefined
  readonly options: PartOptions
}

/** What is wanted of a statement of a group. */
export interface PartOptions {
  readonly plan: ResultPlan
  readonly form: ResultForm
  readonly maxRows: number
  /** Of the first statement: of all rows of the group together; 0 for no limit. */
  readonly maxResultBytes: number
}

/** A statement of a group, with its rows. */
export class GroupPart {
  readonly query: Query
  readonly options: PartOptions
  readonly rows: unknown[] = []
  params: readonly unknown[]
  statement: StatementDescription | undefined = undefined
  private isHeld: boolean

  constructor(query: Query, params: readonly unknown[] | undefined, options: PartOptions) {
    this.query = query
    this.options = options
    this.params = params === undefined || params.length === 0 ? NO_PARAMETERS : params.slice()
    this.isHeld = this.params === NO_PARAMETERS
  }

  /** Takes the parameters' values, which are encoded later. */
  hold(): void {
    if (this.isHeld) return
    this.isHeld = true
    checkLength(this.params)
    this.params = holdBack(this.params).values
  }
}

/**
 * Statements under one Sync: all take effect or, outside a transaction, none. With a single one, its rows are the request's.
 */
export class GroupRequest extends Request {
  readonly parts: readonly GroupPart[]
  private readonly front: Context | undefined
  /** It is a query, and no batch of one. */
  isQuery = false
  /** The position of the part whose rows came last. */
  reading = 0

  /** @param parts At least one. */
  constructor(
    environment: Environment,
    target: Target,
    parts: readonly GroupPart[],
    context: Context | undefined,
  ) {
    super(environment, target, undefined, NO_PARAMETERS, parts[0]!.options.plan)
    this.parts = parts
    this.front = context
    this.rows = parts[0]!.rows
  }

  override get description(): Description | undefined {
    return this.parts[this.parts.length - 1]!.statement
  }

  override get namesRow(): boolean {
    return !this.isQuery
  }

  override keepsTransaction(): boolean {
    return this.parts.every((part) => endsNothing(part.query.text))
  }

  /** Writes the GROUP and its MEMBERs. */
  sendGroup(timeoutMs: number): void {
    const { front, environment, parts, slot, target } = this
    const { outbox } = environment
    if (outbox.isEncoding) {
      for (const part of parts) part.hold()
      this.deferGroup(timeoutMs)
      return
    }
    outbox.texts(Opcode.GROUP, slot, target!.id, front?.query.id ?? 0, timeoutMs, front?.values ?? [])
    try {
      for (let at = 0; at < parts.length; at++) this.writePart(parts[at]!, at === parts.length - 1)
      this.turnTo(parts[0]!)
    } catch (error) {
      // Rust has the GROUP: it forgets it.
      this.settle(thrown(error))
      this.abandon()
    }
  }

  /** From here on rows are those of this part. */
  override takeDescription(facts: Description | undefined, needsBind: boolean, at: number): void {
    const part = this.parts[at]
    if (part === undefined) return
    this.reading = at
    part.statement = facts === undefined ? part.query.description : part.query.describe(facts)
    this.turnTo(part)
    if (!needsBind || this.isSettled) return
    const { context } = this
    if (context === undefined) this.bindPart(part)
    else context.runInAsyncScope(this.bindPart, this, part)
  }

  /** The part has them too. */
  protected override takeFirst(row: unknown): void {
    this.rows.push(row)
  }

  private turnTo(part: GroupPart): void {
    this.statement = part.statement
    this.shape = undefined
    this.plan = part.options.plan
    if (this.failure === undefined) this.rows = part.rows
  }

  /** Rust has ended the request, or never heard of it. */
  override freeSlot(): void {
    super.freeSlot()
    const { queries } = this.target!
    for (const part of this.parts) queries.release(part.query)
    if (this.front !== undefined) queries.release(this.front.query)
  }

  private writePart(part: GroupPart, isLast: boolean): void {
    const { query, options } = part
    const { outbox } = this.environment
    const last = isLast ? Flag.LAST : 0
    const statement = query.description
    part.statement = statement
    if (statement !== undefined) {
      try {
        const encode = statement.encoderOf(options.plan.parameterMode)
        outbox.parameters(
          Opcode.MEMBER,
          this.slot,
          0,
          query.id,
          options.maxRows,
          0,
          statement.id,
          last,
          options.form,
          encode,
          part.params,
        )
        return
      } catch (error) {
        if (!isThrown(error, DataError) && !isThrown(error, InterfaceError)) throw error
        // What is known may be out of date: the server decides, once.
      }
    }
    part.hold()
    part.statement = undefined
    const flags = statement === undefined ? last : last | Flag.FRESH
    outbox.parameters(
      Opcode.MEMBER,
      this.slot,
      0,
      query.id,
      options.maxRows,
      0,
      0,
      flags,
      options.form,
      undefined,
      part.params,
    )
  }

  /** Answers a description with the parameters. */
  private bindPart(part: GroupPart): void {
    const { outbox } = this.environment
    try {
      const { statement } = part
      if (statement === undefined) throw new InternalClientError('a description that was never sent')
      const encode = statement.encoderOf(part.options.plan.parameterMode)
      outbox.parameters(Opcode.BIND, this.slot, 0, 0, 0, 0, statement.id, 0, Form.ROWS, encode, part.params)
    } catch (error) {
      outbox.command(Opcode.REFUSE, this.slot, 0, 0, 0, 0)
      this.settle(thrown(this.named(part, error)))
    }
  }

  /** Says which statement of a batch it was. */
  private named(part: GroupPart, error: unknown): unknown {
    if (this.isQuery || !(isThrown(error, DataError) || isThrown(error, InterfaceError))) return error
    const statement = this.parts.indexOf(part)
    error.message = `statement ${statement}: ${error.message}`
    Object.assign(error, { statement })
    return error
  }

  // Apart from `sendGroup`, so that calls which are not deferred allocate no context for a closure.
  private deferGroup(timeoutMs: number): void {
    const { context } = this
    this.environment.outbox.defer(
      context === undefined
        ? () => this.sendGroup(timeoutMs)
        : () => context.runInAsyncScope(this.sendGroup, this, timeoutMs),
    )
  }
}
