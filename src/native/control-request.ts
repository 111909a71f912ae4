import { Flag } from '../types/boundary'
import type { ConnectionTarget } from './connection-target'
import type { Environment } from './environment'
import type { Query } from './queries'
import { NO_PARAMETERS, Request, thrown } from './request'
import type { RequestOptions } from './request-options'

/** A command that starts or ends a transaction; knows how that stood when its answer came. */
export class ControlRequest extends Request {
  /** Whether a transaction was open before the command, as far as it has been answered well. */
  wasInTransaction = false
  /** The transactions that had ended on the connection, one that this command ended among them. */
  transactionsEnded = 0
  /** The application's query that had ended one, see {@link ConnectionTarget.endedBy}. */
  endedBy: string | undefined = undefined
  protected readonly session: ConnectionTarget

  constructor(environment: Environment, connection: ConnectionTarget, query?: Query) {
    super(environment, connection, query, NO_PARAMETERS, undefined)
    this.session = connection
  }

  /** Writes the SCRIPT, unless its signal has fired. */
  sendText(text: string, { timeoutMs, signal, group }: RequestOptions): void {
    if (signal?.aborted) {
      this.freeSlot()
      this.settle(thrown(signal.reason))
      return
    }
    if (signal !== undefined) this.watch(signal)
    if (group !== undefined) this.join(group)
    this.environment.outbox.script(this.slot, this.session.id, text, Flag.CONTROL, timeoutMs)
  }

  /** It is not the application's. */
  override get executed(): undefined {
    return undefined
  }

  /** Nor is its tag. */
  override noteTag(): void {}

  override complete(
    command: number,
    rowCount: number,
    tagText: string | undefined,
    isSuspended: boolean,
  ): void {
    this.wasInTransaction = this.session.statusBefore !== 'I'
    this.transactionsEnded = this.session.transactionsEnded
    this.endedBy = this.session.endedBy
    super.complete(command, rowCount, tagText, isSuspended)
  }
}
