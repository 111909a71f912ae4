import { type Failure, InterfaceError } from '../errors/index'
import { Opcode } from '../types/boundary'
import { Request, thrown } from './request'

/** Bytes of rows that come before their consumer has asked for more: few beside what a reader holds. */
const ALLOWED_BYTES = 64 * 1024
/** High 32 bits of a number of bytes that no result has. */
const NO_LIMIT = 0x7fffffff

/**
 * A query whose rows are taken while they come, no faster than they are wanted: past what was allowed, its connection is not
 * read. It must not know its consumer, so that it ends when that is forgotten.
 */
export class StreamRequest extends Request {
  private changed: Promise<void> | undefined = undefined
  private tellChange: (() => void) | undefined = undefined
  /** Rows come as they are allowed to; otherwise as the server sends them. */
  private isPaced = false
  private isDropping = false
  private taken = 0

  /** How many rows have come. */
  get received(): number {
    return this.taken + this.rows.length
  }

  /** Lets rows come. After each {@link take} of some it is said again. */
  allow(): void {
    this.isPaced = true
    this.sendAllow(0)
  }

  /** The rows that are here, perhaps none; they are the caller's. */
  take(): unknown[] {
    const { rows } = this
    if (rows.length === 0) return rows
    this.rows = []
    this.taken += rows.length
    if (this.isPaced) this.allow()
    return rows
  }

  /** Nobody wants more than the rows that were taken: for this reason, which is nobody's error. */
  leave(reason: unknown): void {
    if (this.isSettled) return
    this.leftAfter = this.taken
    this.giveUp(reason)
  }

  /** Nobody wants its rows any more, and it goes on to its end without them. */
  drop(): void {
    this.isDropping = true
    this.rows = []
    this.flow()
  }

  /** Fulfilled when there are more rows, or the request has settled. */
  change(): Promise<void> {
    this.changed ??= new Promise((resolve) => {
      this.tellChange = resolve
    })
    return this.changed
  }

  override takeRows(
    rowCount: number,
    firstCell: number,
    textMode: number,
    ownMemory: number,
    extras: readonly unknown[],
  ): void {
    if (this.isDropping) return
    super.takeRows(rowCount, firstCell, textMode, ownMemory, extras)
    if (this.failure !== undefined && !this.isSettled) this.readingFailed(this.failure)
    this.tell()
  }

  /** A parser of the application threw: nobody wants the rest. */
  protected readingFailed(failure: Failure): void {
    this.endBy(failure)
  }

  /** Whatever is left of its rows may come. */
  protected flow(): void {
    if (this.isPaced && this.slot !== 0)
      this.environment.outbox.command(Opcode.ALLOW, this.slot, NO_LIMIT, 0, 0, 0)
  }

  /** @param form As of ALLOW. */
  protected sendAllow(form: number): void {
    if (this.slot !== 0) this.environment.outbox.command(Opcode.ALLOW, this.slot, 0, ALLOWED_BYTES, form, 0)
  }

  override settle(failure: Failure | undefined): void {
    super.settle(failure)
    this.tell()
  }

  /** Its consumer was garbage-collected. */
  forgotten(): void {
    this.endBy(thrown(new InterfaceError('the stream was forgotten')))
  }

  private tell(): void {
    const { tellChange } = this
    this.changed = undefined
    this.tellChange = undefined
    if (tellChange !== undefined) tellChange()
  }
}
