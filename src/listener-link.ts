import { inspect } from 'node:util'
import { ConnectionDoesNotExistError, errorFromFailure, InterfaceError, PostgresError } from './errors/index'
import { isThrown } from './errors/thrown-reason'
import type { ConnectionTarget, NotificationMessage } from './native/door'
import type { CallDefaults } from './send'
import { SessionChannels } from './session-channels'

/** Who is told of what happens to a link. */
export interface LinkEvents {
  readonly take: (message: NotificationMessage) => void
  readonly lost: (error: Error) => void
}

/** How long a server may take to say that it is still there. */
const MAX_PROBE_MS = 10_000

/** One session of a pool's listener. */
export class ListenerLink {
  readonly channels: SessionChannels
  readonly #target: ConnectionTarget
  readonly #events: LinkEvents
  #timer: NodeJS.Timeout | undefined
  /** What came before all channels were listened to. */
  #held: NotificationMessage[] | undefined = []
  /** Why it was given up. */
  #brokenBy: Error | undefined
  #isOver = false

  constructor(target: ConnectionTarget, defaults: CallDefaults, events: LinkEvents) {
    this.#target = target
    this.#events = events
    this.channels = new SessionChannels(target, defaults)
    target.onNotification = (message) => this.#take(message)
    target.onceOver(() => this.#end())
  }

  refer(isReferenced: boolean): void {
    if (this.#target.isClosed) return
    if (isReferenced) this.#target.reference(this)
    else this.#target.unreference(this)
  }

  /** All channels are listened to: from here on messages are passed on, those first that have come already. */
  startDelivering(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const message of held) this.#take(message)
  }

  /** Asks again and again whether the server is still there and the session listens: a link that is cut off says nothing. */
  startProbing(intervalMs: number): void {
    if (intervalMs === 0 || this.#isOver) return
    this.#timer = setTimeout(() => void this.#probe(intervalMs), intervalMs)
    this.#timer.unref()
  }

  /** Why it is over. */
  lostBy(): Error {
    const { closeFailure } = this.#target
    const cause = this.#brokenBy ?? (closeFailure === undefined ? undefined : errorFromFailure(closeFailure))
    return new ConnectionDoesNotExistError("the connection of the pool's listener was lost", {
      safeToRetry: true,
      cause,
    })
  }

  async close(timeoutMs: number): Promise<void> {
    this.#stop()
    if (!this.#target.isClosed) await this.#target.close(timeoutMs).settled
  }

  terminate(): void {
    this.#stop()
    if (!this.#target.isClosed) this.#target.terminate()
  }

  #take(message: NotificationMessage): void {
    if (this.#isOver) return
    if (this.#held === undefined) this.#events.take(message)
    else this.#held.push(message)
  }

  async #probe(intervalMs: number): Promise<void> {
    try {
      const missing = await this.channels.missing(Math.min(intervalMs, MAX_PROBE_MS))
      if (this.#isOver) return
      if (missing.length === 0) return this.startProbing(intervalMs)
      this.#brokenBy = notListening(missing)
      process.emitWarning(this.#brokenBy.message, { type: 'OxpgWarning', code: 'OXPG_NOT_LISTENING' })
    } catch (error) {
      if (this.#isOver) return
      // Any answer is one: a relative of PostgreSQL may lack the function.
      if (isThrown(error, PostgresError) && error.fromServer) return this.startProbing(intervalMs)
      this.#brokenBy = error as Error
    }
    this.#target.terminate()
    this.#end()
  }

  #end(): void {
    if (this.#isOver) return
    this.#stop()
    this.#events.lost(this.lostBy())
  }

  #stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }
}

/** A pooler that gives each transaction another server's session, or somebody who has ended LISTEN there. */
function notListening(channels: readonly string[]): Error {
  const names = channels.map((channel) => inspect(channel)).join(', ')
  return new InterfaceError(
    `the session of the pool's listener does not listen to ${names}, although LISTEN has succeeded there: behind a pooler ` +
      'in transaction or statement mode LISTEN has no effect; connect to the server itself, or to a pooler in session mode',
  )
}
