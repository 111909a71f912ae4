import type { PoolHolder } from './errors/index'
import { now } from './limit'
import { type ConnectionTarget, type ReleaseMessage, releaseChannel } from './native/door'
import type { HookName } from './pool-options'

/** How many holders a message names. */
const MOST_NAMED = 5

/** One lease of the application's, from the moment when it has the connection. It must not know the leased object. */
export interface Lease {
  readonly target: ConnectionTarget
  readonly call: PoolHolder['call']
  readonly stack: string | undefined
  readonly since: number
  /** Gives the connection back for somebody who has forgotten it. */
  readonly takeBack: () => void
  timer: NodeJS.Timeout | undefined
}

/** A hook of the pool that has a connection for itself. */
export interface RunningHook {
  readonly target: ConnectionTarget
  readonly name: HookName
  readonly since: number
}

/** Tells of leases whose objects were garbage-collected, and takes them back. */
const forgotten = new FinalizationRegistry<{ readonly leases: PoolLeases; readonly lease: Lease }>(
  ({ leases, lease }) => leases.takeBackForgotten(lease),
)

/** What the application has leased from one pool, and the pool's hooks that run. */
export class PoolLeases {
  readonly #open = new Map<ConnectionTarget, Lease>()
  readonly #hooks = new Set<RunningHook>()
  /** The pool was terminated: who had a connection then is who has it. */
  #isKept = false
  readonly #leakDetectionMs: number

  /** @param leakDetectionMs After how many milliseconds a lease is told of; 0 for never. */
  constructor(leakDetectionMs: number) {
    this.#leakDetectionMs = leakDetectionMs
  }

  /** The stack of the caller, if anybody will want to know it. `above` and what it has called is left out. */
  stackAt(above: (...values: never[]) => unknown): string | undefined {
    if (this.#leakDetectionMs === 0) return undefined
    const trace: { stack?: string } = {}
    Error.captureStackTrace(trace, above)
    // Without the line of the name.
    return trace.stack?.slice(trace.stack.indexOf('\n') + 1)
  }

  /** `connection` is what the application holds. */
  open(
    connection: object,
    target: ConnectionTarget,
    call: PoolHolder['call'],
    stack: string | undefined,
    takeBack: () => void,
  ): void {
    const lease: Lease = { target, call, stack, since: now(), takeBack, timer: undefined }
    this.#open.set(target, lease)
    forgotten.register(connection, { leases: this, lease }, lease)
    if (this.#leakDetectionMs > 0) {
      lease.timer = setTimeout(() => this.#warnOfHeld(lease), this.#leakDetectionMs)
      lease.timer.unref()
    }
  }

  /** It was released, or its session has ended. */
  end(target: ConnectionTarget): void {
    const lease = this.#open.get(target)
    if (lease === undefined) return
    if (!this.#isKept) this.#open.delete(target)
    forgotten.unregister(lease)
    clearTimeout(lease.timer)
    if (releaseChannel.hasSubscribers) releaseChannel.publish(releaseOf(lease))
  }

  /** A hook has been called; {@link leaveHook} follows. */
  enterHook(target: ConnectionTarget, name: HookName): RunningHook {
    const hook: RunningHook = { target, name, since: now() }
    this.#hooks.add(hook)
    return hook
  }

  /** It has ended, or nobody waits for it any more. */
  leaveHook(hook: RunningHook): void {
    if (!this.#isKept) this.#hooks.delete(hook)
  }

  /**
   * The pool was terminated, which ends calls and so their leases: those are still told of, by a `close` that has waited
   * for them.
   */
  keep(): void {
    this.#isKept = true
  }

  /** The pool was terminated: what is leased is of no use any more, and nobody needs to be told. */
  silence(): void {
    for (const lease of this.#open.values()) {
      forgotten.unregister(lease)
      clearTimeout(lease.timer)
    }
  }

  /** The object of a lease was garbage-collected. */
  takeBackForgotten(lease: Lease): void {
    if (this.#open.get(lease.target) !== lease) return
    this.end(lease.target)
    if (lease.target.isClosed) return
    process.emitWarning(
      `a connection of the pool (server pid ${lease.target.backendPid}) was taken back: what ${lease.call}() gave was ` +
        `garbage-collected without a release${lease.stack === undefined ? '; leakDetectionMs tells where that was' : ''}`,
      { type: 'OxpgWarning', code: 'OXPG_LEASE_FORGOTTEN', ...detailOf(lease) },
    )
    lease.takeBack()
  }

  /** Who has what, the longest first. */
  holders(): PoolHolder[] {
    const at = now()
    const held = new Map<ConnectionTarget, Pick<Lease, 'call' | 'stack' | 'since'>>(this.#open)
    // Whoever leases it has to wait for the hook.
    for (const { target, name, since } of this.#hooks) {
      held.set(target, { call: name, stack: held.get(target)?.stack, since })
    }
    return [...held]
      .sort(([, one], [, other]) => one.since - other.since)
      .map(([target, { call, stack, since }]) => ({
        serverPid: target.backendPid,
        heldMs: Math.round(at - since),
        call,
        stack,
      }))
  }

  #warnOfHeld(lease: Lease): void {
    if (lease.target.isClosed) return
    const held = `server pid ${lease.target.backendPid}) has been held for ${Math.round(now() - lease.since)} ms`
    process.emitWarning(`a connection of the pool (${held} since ${lease.call}(), and was not released`, {
      type: 'OxpgWarning',
      code: 'OXPG_LEASE_HELD',
      ...detailOf(lease),
    })
  }
}

function releaseOf({ target, call, since }: Lease): ReleaseMessage {
  const { host, port, database, user, backendPid: serverPid } = target
  const of = call as ReleaseMessage['call']
  return { call: of, host, port, database, user, serverPid, heldMs: now() - since }
}

function detailOf({ stack }: Lease): { detail?: string } {
  return stack === undefined ? {} : { detail: stack }
}

/** The longest of some holders, in words; empty when there are none. */
export function describeHolders(holders: readonly PoolHolder[]): string {
  if (holders.length === 0) return ''
  const named = holders.slice(0, MOST_NAMED).map(describeHolder).join(', ')
  const rest = holders.length - MOST_NAMED
  return `not released: ${named}${rest > 0 ? ` and ${rest} more` : ''}`
}

function describeHolder({ serverPid, heldMs, call, stack }: PoolHolder): string {
  const place = stack === undefined ? '' : ` ${firstFrame(stack)}`
  const doing = isHook(call) ? `in the pool's hook ${call}` : `since ${call}()`
  return `server pid ${serverPid} for ${heldMs} ms ${doing}${place}`
}

const isHook = (call: PoolHolder['call']): boolean => call === 'init' || call === 'setup' || call === 'reset'

/** The caller's own line of a stack, which begins below the driver. */
function firstFrame(stack: string): string {
  const end = stack.indexOf('\n')
  return (end < 0 ? stack : stack.slice(0, end)).trim()
}
