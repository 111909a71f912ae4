import { Connection, type ConnectionParts } from './connection'
import { InterfaceError } from './errors/index'
import type { ConnectionTarget } from './native/door'
import type { PoolHook, PoolHooks } from './pool-options'
import { attachSuppressed } from './suppressed'

/** What a lease is made of. */
export interface PoolConnectionParts extends ConnectionParts {
  /** @internal */
  readonly hooks: PoolHooks
}

/**
 * A connection that a pool has lent. Once it is released, everything that came from it is dead and says so; the session
 * goes on in the pool.
 */
export class PoolConnection extends Connection {
  readonly #target: ConnectionTarget
  readonly #hooks: PoolHooks
  #isReleased = false
  #releasing: Promise<void> | undefined

  protected constructor(parts: PoolConnectionParts) {
    super(parts)
    this.#target = parts.target
    this.#hooks = parts.hooks
  }

  /** @internal */
  static _lend(parts: PoolConnectionParts): PoolConnection {
    return new PoolConnection(parts)
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
   * but an executeMany or fetchMany whose asynchronous iterable is not at its end is taken back. Releasing again does
   * nothing.
   *
   * @throws what the pool's `reset` hook throws; the session has been closed then.
   */
  release(): Promise<void> {
    this.#releasing ??= this.#release()
    return this.#releasing
  }

  override [Symbol.asyncDispose](): Promise<void> {
    return this.release()
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
    const { init, setup } = this.#hooks
    try {
      if (isNew) {
        this.#target.isInitializing = true
        await init?.(this)
        this.#target.isInitializing = false
      }
      await setup?.(this)
    } catch (error) {
      this.#discard()
      throw error
    }
  }

  async #release(): Promise<void> {
    const { reset } = this.#hooks
    const isReset = reset !== undefined && !this.isClosed
    this.#detach()
    if (isReset) await this.#resetBy(reset)
    this.#target.release()
  }

  /** The hook has the session under an object of its own, for this one is dead. */
  async #resetBy(reset: PoolHook): Promise<void> {
    const last = new PoolConnection({
      target: this.#target,
      defaults: this._defaults,
      hooks: this.#hooks,
      owner: this._owner,
    })
    // It is on its way back to the pool already.
    last.#releasing = Promise.resolve()
    try {
      await last._vacate()
      await reset(last)
    } catch (error) {
      last.#discard()
      throw error
    }
    last.#detach()
  }

  #discard(): void {
    this.#detach()
    if (!this.#target.isClosed) this.#target.terminate()
  }

  #detach(): void {
    this.#isReleased = true
    // They might never end, and the connection would never be back.
    void this._vacate()
    this._detach()
  }
}

/** Runs `call` and then gives the connection back; an error of `call` goes before one of the release. */
export async function withRelease<R>(
  connection: PoolConnection,
  call: (connection: PoolConnection) => R | PromiseLike<R>,
): Promise<R> {
  let result: R
  try {
    result = await call(connection)
  } catch (error) {
    await connection.release().catch((second: unknown) => attachSuppressed(error, second))
    throw error
  }
  await connection.release()
  return result
}
