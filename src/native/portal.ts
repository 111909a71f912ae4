import { Flag, Opcode } from '../types/boundary'
import type { ConnectionTarget } from './connection-target'
import type { Environment } from './environment'
import { PortalRequest } from './portal-request'
import { abortedRequest, NO_PARAMETERS, type Request } from './request'
import type { StatementOptions } from './request-options'
import { callRefused } from './statement-mode'

/** A request of a portal's, or one that ended before it began. */
type Sent = PortalRequest | Request

/**
 * A portal of a session's own (PostgreSQL manual, "Extended Query"): a query whose rows are fetched in parts, until its end
 * or that of its transaction. Whoever has it tells loggers and channels of it, see `ObservedQuery`.
 */
export class Portal {
  private readonly environment: Environment
  private readonly target: ConnectionTarget
  private readonly number: number
  private last: PortalRequest | undefined = undefined

  constructor(environment: Environment, target: ConnectionTarget) {
    this.environment = environment
    this.target = target
    this.number = environment.nextPortal()
  }

  /** Binds a query to it. `maxRows` of the options is for the rows that come with that; with 0 nothing is executed yet. */
  open(text: string, params: readonly unknown[] | undefined, options: StatementOptions): Sent {
    const { environment, target } = this
    if (target.isSimple) throw callRefused('a cursor')
    if (options.signal?.aborted) return abortedRequest(environment, target, options.signal)
    const query = target.use(text)
    const values = params === undefined || params.length === 0 ? NO_PARAMETERS : params.slice()
    const flags = (options.maxRows === 0 ? Flag.OPEN : Flag.PORTAL) | (this.number << 8)
    const request = new PortalRequest(environment, target, query, values, options.plan, flags)
    return this.sent(request, options, () => request.send(options))
  }

  /** Its next rows, `maxRows` of the options at most. The request's `isSuspended` says whether there may be more. */
  fetch(options: StatementOptions): Sent {
    return this.step(Opcode.PORTAL_FETCH, options)
  }

  /** Past its next rows, `maxRows` of the options at most; `rowCount` is how many there were. */
  move(options: StatementOptions): Sent {
    return this.step(Opcode.PORTAL_MOVE, options)
  }

  /** Nobody wants it any more. It is closed in front of what its session is sent next. */
  close(): void {
    this.environment.outbox.command(Opcode.PORTAL_CLOSE, 0, this.target.id, this.number, 0, 0)
  }

  private step(
    opcode: typeof Opcode.PORTAL_FETCH | typeof Opcode.PORTAL_MOVE,
    options: StatementOptions,
  ): Sent {
    const { environment, last, number, target } = this
    const { maxRows, plan, signal, timeoutMs } = options
    if (signal?.aborted) return abortedRequest(environment, target, signal)
    const request = new PortalRequest(environment, target, undefined, NO_PARAMETERS, plan, 0)
    return this.sent(request, options, () =>
      request.sendStep(opcode, number, maxRows, timeoutMs, last?.known),
    )
  }

  private sent(
    request: PortalRequest,
    { signal, group, maxResultBytes }: StatementOptions,
    send: () => void,
  ): PortalRequest {
    try {
      if (signal !== undefined) request.watch(signal)
      if (group !== undefined) request.join(group)
      send()
      if (maxResultBytes > 0) request.limit(maxResultBytes)
    } catch (error) {
      request.endUnsent(error)
      throw error
    }
    this.last = request
    return request
  }
}
