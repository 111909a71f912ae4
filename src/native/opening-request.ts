import type { Failure } from '../errors/index'
import { Opcode } from '../types/boundary'
import type { ConnectionTarget } from './connection-target'
import { ControlRequest } from './control-request'
import type { Environment } from './environment'
import { operationOf } from './logged-query'
import type { Query } from './queries'

/** What opens a transaction or savepoint. It is never given up: it goes out with the next request of its connection. */
export class OpeningRequest extends ControlRequest {
  /** Parameters of {@link query}, the statement that is executed right behind it, if there is one. */
  private readonly values: readonly string[]
  private opening = ''

  constructor(
    environment: Environment,
    connection: ConnectionTarget,
    context: Query | undefined,
    values: readonly string[],
  ) {
    super(environment, connection, context)
    this.values = values
  }

  /** Writes the OPENING. */
  sendOpening(text: string): void {
    const { outbox } = this.environment
    this.opening = text
    if (outbox.isEncoding) {
      outbox.defer(() => this.sendOpening(text))
      return
    }
    try {
      outbox.texts(Opcode.OPENING, this.slot, this.session.id, this.query?.id ?? 0, 0, [text, ...this.values])
    } catch (error) {
      this.endUnsent(error)
      throw error
    }
  }

  /** The opening's, and not that of the statement behind it. */
  override tag(): string {
    return this.isSettled && this.failure === undefined ? operationOf(this.opening) : ''
  }

  override complete(
    command: number,
    _rowCount: number,
    tagText: string | undefined,
    isSuspended: boolean,
  ): void {
    // A savepoint begins nothing: what it is in may have been ended by a query.
    if (!this.opening.startsWith('SAVEPOINT')) this.session.endedBy = undefined
    super.complete(command, 0, tagText, isSuspended)
  }

  /** Rust refuses what comes behind it until it is told that this is known here. */
  override fail(failure: Failure): void {
    this.environment.outbox.command(Opcode.GO_ON, 0, this.session.id, 0, 0, 0)
    super.fail(failure)
  }
}
