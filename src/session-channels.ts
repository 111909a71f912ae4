import { errorFromFailure, InterfaceError } from './errors/index'
import type { ConnectionTarget, RequestOptions } from './native/door'
import { quoteChannel } from './notification'
import type { CallDefaults } from './send'

/** A command that was given up unsent would leave open whether the session listens. */
const UNLIMITED: RequestOptions = Object.freeze({ timeoutMs: 0, signal: undefined })

const LISTENING = 'select pg_catalog.pg_listening_channels()'

/** Which channels a session listens to at the server. */
export class SessionChannels {
  readonly #target: ConnectionTarget
  readonly #defaults: CallDefaults
  /** By channel: fulfilled when the session listens. */
  readonly #listened = new Map<string, Promise<void>>()
  /** The session may listen to them still, and nobody wants to hear. */
  readonly #stale = new Set<string>()

  constructor(target: ConnectionTarget, defaults: CallDefaults) {
    this.#target = target
    this.#defaults = defaults
  }

  /**
   * LISTEN, unless the session does already; fulfilled when it does.
   *
   * @throws InterfaceError when a transaction was open there.
   */
  listen(channel: string): Promise<void> {
    this.#tidy()
    const known = this.#listened.get(channel)
    if (known !== undefined) return known
    this.#stale.delete(channel)
    const listening = this.#listen(channel)
    this.#listened.set(channel, listening)
    listening.catch(() => {
      if (this.#listened.get(channel) === listening) this.#listened.delete(channel)
    })
    return listening
  }

  /**
   * UNLISTEN. In an open transaction, which could undo it, that is left for its end: what comes until then is for nobody.
   */
  async unlisten(channel: string): Promise<void> {
    if (!this.#listened.delete(channel)) return
    this.#stale.add(channel)
    await Promise.all(this.#tidy())
  }

  /**
   * Asks the server which channels it is not listening to any more, of those that it was.
   *
   * @param timeoutMs Of the question; 0 for no limit.
   * @throws what the server or the connection says.
   */
  async missing(timeoutMs: number): Promise<string[]> {
    const before = [...this.#listened]
    const all = { ...this.#defaults.value, maxRows: 0, maxResultBytes: 0, timeoutMs }
    const request = this.#target.query(LISTENING, undefined, all)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure)
    const found = new Set((request.rows as string[][]).map(([channel]) => channel))
    const gone = before.filter(([channel, listening]) => {
      return !found.has(channel) && this.#listened.get(channel) === listening
    })
    for (const [channel] of gone) this.#listened.delete(channel)
    return gone.map(([channel]) => channel)
  }

  async #listen(channel: string): Promise<void> {
    const request = this.#target.control(`LISTEN ${quoteChannel('listen', channel)}`, UNLIMITED)
    await request.settled
    if (request.failure !== undefined) throw errorFromFailure(request.failure)
    if (!request.wasInTransaction) return
    this.#stale.add(channel)
    throw inTransaction()
  }

  #tidy(): Promise<void>[] {
    const target = this.#target
    if (this.#stale.size === 0 || target.isClosed) return []
    if (target.transactionStatus !== 'I' || target.occupancy.isTaken) {
      this.#tidyLater()
      return []
    }
    const stale = [...this.#stale]
    this.#stale.clear()
    return stale.map((channel) => this.#unlisten(channel))
  }

  #tidyLater(): void {
    this.#target.onIdle = () => void this.#tidy()
  }

  async #unlisten(channel: string): Promise<void> {
    const request = this.#target.control(`UNLISTEN ${quoteChannel('unlisten', channel)}`, UNLIMITED)
    await request.settled
    if (this.#target.isClosed || this.#listened.has(channel)) return
    if (request.failure === undefined && !request.wasInTransaction) return
    this.#stale.add(channel)
    if (request.wasInTransaction) this.#tidyLater()
  }
}

/** LISTEN would take effect at COMMIT, and with a ROLLBACK never. */
export function inTransaction(): Error {
  return new InterfaceError(
    'listen: a transaction is open on the connection, with whose rollback the subscription would be undone: call it before ' +
      'the transaction, after it, or on another connection',
  )
}
