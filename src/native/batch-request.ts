import type { ResultPlan } from '../decode/mapping'
import { holdBack } from '../encode/hold-back'
import { type Failure, InterfaceError, InternalClientError, PostgresError } from '../errors/index'
import { isThrown } from '../errors/thrown-reason'
import { Form, Opcode } from '../types/boundary'
import type { Environment } from './environment'
import type { Description, Query, StatementDescription } from './queries'
import { NO_PARAMETERS, Request, thrown } from './request'
import type { Target } from './target'

/**
 * One statement executed for many rows of parameters, all of which take effect or none. `rows` are those of all
 * executions, if they were wanted.
 */
export class BatchRequest extends Request {
  static readonly opcode = Opcode.BATCH
  /** Rows pushed before the parameters' types were known; undefined from then on. */
  private held: (readonly unknown[])[] | undefined = []
  private rowCountSoFar = 0
  private isEnded = false
  private isAborted = false
  private drained: Promise<void> | undefined = undefined
  private resolveDrained: (() => void) | undefined = undefined
  /** Why the batch is being taken back: what the caller learns once Rust has answered. */
  private refusal: Failure | undefined = undefined

  constructor(environment: Environment, target: Target, query: Query, plan: ResultPlan) {
    super(environment, target, query, NO_PARAMETERS, plan)
  }

  override get namesRow(): boolean {
    return true
  }

  /**
   * Adds a row, and gives its rough size in bytes. Its values are taken before this returns, however deep they are
   * nested: the caller may use them for the next row. Rows pushed after the batch has settled or was aborted are
   * ignored.
   *
   * @throws DataError naming the row, counted from 0, when a value does not fit; then the caller has to {@link abort}.
   * A row that is pushed before the types are known is checked later, and aborts the batch by itself.
   * @throws InterfaceError when the number of values is not that of the parameters, or after {@link end}.
   */
  push(params: readonly unknown[]): number {
    if (this.isEnded) throw new InterfaceError('no more rows can be added: the batch has been ended')
    if (this.isSettled || this.isAborted) return 0
    const row = this.rowCountSoFar++
    if (this.held === undefined) return this.writeRow(row, params)
    const { values, bytes } = holdBack(params)
    this.held.push(values)
    return bytes
  }

  /** Fulfilled when more rows may come, or when the batch has settled. It never rejects. */
  flushed(): Promise<void> {
    if (this.isSettled || this.isAborted || this.isEnded) return this.settled
    if (this.drained === undefined) {
      this.drained = new Promise((resolve) => {
        this.resolveDrained = resolve
      })
      if (this.held === undefined) this.step(Opcode.BATCH_CHUNK)
    }
    return this.drained
  }

  /** No more rows come. */
  end(): void {
    if (this.isEnded || this.isAborted || this.isSettled) return
    if (this.held === undefined) this.step(Opcode.BATCH_END)
    this.isEnded = true
  }

  /** The rows so far are to have no effect. The batch settles with a failure, once that is certain. */
  abort(): void {
    if (this.isAborted || this.isSettled) return
    // Rust ignores it while the batch waits for a pool's connection; then `bind` says it again.
    this.step(Opcode.BATCH_ABORT)
    this.isAborted = true
    if (this.held !== undefined) this.held = []
  }

  /** A batch always waits for its description. */
  override takeDescription(facts: Description | undefined): void {
    super.takeDescription(facts, true, 0)
  }

  override takeDrained(): void {
    const resolve = this.resolveDrained
    this.drained = undefined
    this.resolveDrained = undefined
    if (resolve !== undefined) resolve()
  }

  override fail(failure: Failure): void {
    super.fail(this.refusal ?? failure)
  }

  override settle(failure: Failure | undefined): void {
    if (this.isSettled) return
    super.settle(failure)
    this.held = undefined
    this.takeDrained()
  }

  /** The types are known: what waited for them is written. */
  protected override bind(statement: StatementDescription | undefined): void {
    if (statement === undefined) {
      this.refuse(new InternalClientError('a description that was never sent'))
      return
    }
    const { held } = this
    // Announced again, after the statement's types had changed: rows are written with the new ones from here on.
    if (held === undefined) return
    this.held = undefined
    if (this.isAborted) {
      this.step(Opcode.BATCH_ABORT)
      return
    }
    try {
      for (let row = 0; row < held.length; row++) this.writeRow(row, held[row]!)
    } catch (error) {
      this.refuse(error)
      return
    }
    if (this.isEnded) this.step(Opcode.BATCH_END)
    else if (this.drained !== undefined) this.step(Opcode.BATCH_CHUNK)
  }

  /** Gives the size of the row. */
  private writeRow(row: number, params: readonly unknown[]): number {
    const { outbox } = this.environment
    if (outbox.isEncoding) {
      const { values, bytes } = holdBack(params)
      this.deferRow(row, values)
      return bytes
    }
    const statement = this.statement!
    const encode = statement.encoderOf(this.parameterMode)
    try {
      return outbox.parameters(
        Opcode.BATCH_ROW,
        this.slot,
        0,
        row,
        0,
        0,
        statement.id,
        0,
        Form.ROWS,
        encode,
        params,
      )
    } catch (error) {
      throw inRow(row, error)
    }
  }

  private deferRow(row: number, params: readonly unknown[]): void {
    this.environment.outbox.defer(() => {
      if (this.slot === 0 || this.isAborted) return
      try {
        this.writeRow(row, params)
      } catch (error) {
        this.refuse(error)
      }
    })
  }

  private refuse(error: unknown): void {
    this.refusal = thrown(error)
    this.isAborted = true
    this.step(Opcode.BATCH_ABORT)
  }

  private step(opcode: number): void {
    if (this.slot !== 0) this.environment.outbox.command(opcode, this.slot, 0, 0, 0, 0)
  }
}

/** Names the row in what an encoder threw about it. */
function inRow(row: number, error: unknown): unknown {
  if (isThrown(error, PostgresError) || isThrown(error, InterfaceError)) {
    error.message = `row ${row}: ${error.message}`
    // The stack repeats the message.
    Error.captureStackTrace(error, inRow)
  }
  if (isThrown(error, PostgresError)) Object.assign(error, { row })
  return error
}
