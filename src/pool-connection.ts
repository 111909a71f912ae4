import { inspect } from 'node:util'
import { Connection, type ConnectionParts } from './connection'
import type { RowMode } from './decode/mapping'
import { InterfaceError, TimeoutError } from './errors/index'
import { Limit } from './limit'
import type { ConnectionTarget } from './native/door'
import { endedWhile, whileOpen } from './pool-hooks'
import type { PoolLeases } from './pool-leases'
import type { HookName, PoolHook, PoolHooks } from './pool-options'
import { keepSuppressed } from './suppressed'

/** What a lease is made of. */
export interface PoolConnectionParts<M extends RowMode> extends ConnectionParts {
  /** @internal */
  readonly hooks: PoolHooks<M>
  /** @internal What holds over the hooks of the acquisition; its duration over that of the release. */
  readonly limit: Limit
  /** @internal Of the pool. */
  readonly leases: PoolLeases
  /** @internal The application does not get it: it is for a call or transaction of the pool's, without hooks. */
  readonly isOwn: boolean
}

/**
 * A connection that a pool has lent. Once it is released, everything that came from it is dead and says so; the session
 * goes on in the pool.
 *
 * @typeParam M The row mode of calls that name none.
 */
export class PoolConnection<M extends RowMode = 'object'> extends Connection<M> {
  readonly #target: ConnectionTarget
  readonly #hooks: PoolHooks<M>
  readonly #limit: Limit
  readonly #leases: PoolLeases
  readonly #isOwn: boolean
  #isReleased = false
  #handingBack: Promise<void> | undefined
  #releasing: Promise<void> | undefined
  /** Fulfilled when the session is clean, or gone; from the moment it is handed back. */
  #cleaned: Promise<void> | undefined

  protected constructor(parts: PoolConnectionParts<M>) {
    super(parts)
    this.#target = parts.target
    this.#hooks = parts.hooks
    this.#limit = parts.limit
    this.#leases = parts.leases
    this.#isOwn = parts.isOwn
  }

  /** @internal */
  static _lend<M extends RowMode>(parts: PoolConnectionParts<M>): PoolConnection<M> {
    return new PoolConnection<M>(parts)
  }

  /** Whether it has been given back. */
  get isReleased(): boolean {
    return this.#isReleased
  }

  /** Whether the session has ended, or was given back. */
  override get isClosed(): boolean {
    return this.#isReleased || super.isClosed
  }

  /**
   * Gives it back to the pool, which rolls back an open transaction and resets the session. Calls in flight end first,
   * but an executeMany or fetchMany whose asynchronous iterable is not at its end is taken back. Resolves when the session
   * is clean: then nothing of this lease is left at the server. Releasing again does nothing.
   *
   * @throws what the pool's `reset` hook throws, or a TimeoutError when it takes longer than the acquisition was allowed
   * to, or why the session has ended before it did; the session has been closed then. What was done before stands,
   * whatever such an error says of the call of the hook that it comes from.
   */
  release(): Promise<void> {
    this.#releasing ??= this.#whenClean()
    return this.#releasing
  }

  async #whenClean(): Promise<void> {
    await this._handBack()
    await this.#cleaned
  }

  /** @internal The same without waiting for the reset of the session. */
  _handBack(): Promise<void> {
    this.#handingBack ??= this.#release()
    return this.#handingBack
  }

  /** @internal The same after what had gone well: a hook that fails costs the session and no more. */
  _handBackQuietly(): Promise<void> {
    return this._handBack().catch(warnOfReset)
  }

  override [inspect.custom](): string {
    if (!this.#isReleased) return super[inspect.custom]()
    return `${this.constructor.name} { serverPid: ${this.serverPid}, released }`
  }

  override [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  /** @internal Whoever forgets to release it must not be kept from being found out by its listeners. */
  override _reference(): { deref(): Connection<M> | undefined } {
    return new WeakRef<Connection<M>>(this)
  }

  /** @internal */
  override get _isGone(): boolean {
    return this.#isReleased || super._isGone
  }

  /** @internal */
  override _targetOfEnd(): ConnectionTarget {
    if (this.#isReleased) throw new InterfaceError('the connection has been released back to its pool')
    return super._targetOfEnd()
  }

  /** @internal Runs the hooks of a connection that has just been leased; if one throws, the session is closed. */
  async _prepare(isNew: boolean): Promise<void> {
    try {
      await this.#limit.hold(this.#callHooks(isNew), lateHooks)
    } catch (error) {
      this.#discard()
      throw error
    }
  }

  async #callHooks(isNew: boolean): Promise<void> {
    const { init, setup } = this.#hooks
    if (isNew) {
      this.#target.isInitializing = true
      if (init !== undefined) await this.#call('init', init)
      this.#target.isInitializing = false
    }
    if (setup !== undefined) await this.#call('setup', setup)
  }

  async #call(name: HookName, hook: PoolHook<M>): Promise<void> {
    const running = this.#leases.enterHook(this.#target, name)
    try {
      await whileOpen(this.#target, name, async () => hook(this))
    } finally {
      this.#leases.leaveHook(running)
    }
    if (name === 'reset') return
    // What comes next would be a part of it, and end with it.
    if (this._hasTransaction) {
      throw new InterfaceError(`the pool's hook ${name} left a transaction open; the session was closed`, {
        safeToRetry: true,
      })
    }
    // A hook may have ended it, and it is nothing for anybody then.
    if (this.#isReleased) {
      throw new InterfaceError(`the connection was released while the pool's hook ${name} ran`)
    }
    if (this.isClosed) throw endedWhile(this.#target, name)
  }

  async #release(): Promise<void> {
    const { reset } = this.#hooks
    const isReset = reset !== undefined && !this.isClosed
    this.#detach()
    if (isReset) await this.#resetBy(reset)
    this.#cleaned = this.#target.release(this.#isOwn)
  }

  /** The hook has the session under an object of its own, for this one is dead. */
  async #resetBy(reset: PoolHook<M>): Promise<void> {
    const last = new PoolConnection<M>({
      target: this.#target,
      defaults: this._defaults,
      hooks: this.#hooks,
      owner: this._owner,
      limit: this.#limit,
      leases: this.#leases,
      isOwn: false,
    })
    // It is on its way back to the pool already.
    last.#handingBack = Promise.resolve()
    try {
      await new Limit(this.#limit.timeoutMs).hold(last.#callReset(reset), lateReset)
    } catch (error) {
      last.#discard()
      throw error
    }
    last.#detach()
  }

  async #callReset(reset: PoolHook<M>): Promise<void> {
    await this._vacate()
    await this.#call('reset', reset)
  }

  #discard(): void {
    // A hook may have released it, and then the session is somebody else's.
    const isOwn = !this.#isReleased
    this.#detach()
    if (isOwn && !this.#target.isClosed) this.#target.terminate()
  }

  #detach(): void {
    this.#isReleased = true
    this.#leases.end(this.#target)
    // They might never end, and the connection would never be back.
    void this._vacate()
    this._detach()
  }
}

function lateHooks(timeoutMs: number): Error {
  const message = `the pool's hooks init and setup did not end within ${timeoutMs} ms of the acquisition; the session was closed`
  return new TimeoutError(message, { safeToRetry: true })
}

function lateReset(timeoutMs: number): Error {
  const message = `the pool's reset hook did not end within ${timeoutMs} ms; the session was closed`
  return new TimeoutError(message, { safeToRetry: false })
}

/**
 * Runs `call` and then gives the connection back, and waits until its session is clean. An error of `call` goes before one of
 * the release; what came of it stands, whatever the `reset` hook does.
 */
export async function withRelease<R, M extends RowMode>(
  connection: PoolConnection<M>,
  call: (connection: PoolConnection<M>) => R | PromiseLike<R>,
): Promise<R> {
  let result: R
  try {
    result = await call(connection)
  } catch (error) {
    await connection.release().catch((second: unknown) => keepSuppressed(error, second))
    throw error
  }
  await connection.release().catch(warnOfReset)
  return result
}

/**
 * The same of a call of the pool's own, such as a query or a transaction. What came of it stands, whatever the `reset` hook
 * does, and it does not wait for the reset of the session.
 *
 * @param limit When it ends, the caller waits no longer: the release goes on without him.
 */
export async function withHandBack<R, M extends RowMode>(
  connection: PoolConnection<M>,
  call: (connection: PoolConnection<M>) => R | PromiseLike<R>,
  limit: Limit = new Limit(0),
): Promise<R> {
  let result: R
  try {
    result = await call(connection)
  } catch (error) {
    if (limit.isOver) void connection._handBackQuietly()
    else {
      await limit
        .hold(connection._handBack(), lateReset)
        .catch((second: unknown) => keepSuppressed(error, second))
    }
    throw error
  }
  await limit.hold(connection._handBackQuietly(), lateReset).catch(() => {})
  return result
}

/** For nobody can be told by a call that has gone well. */
function warnOfReset(error: unknown): void {
  process.emitWarning(
    "the pool's reset hook failed after a call that had gone well, and the session was closed",
    {
      type: 'OxpgWarning',
      code: 'OXPG_RESET_HOOK',
      detail: inspect(error),
    },
  )
}
