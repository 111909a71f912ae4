import type { Failure } from '../errors/index'
import { FINGERPRINT } from '../types/boundary'
import type { ConnectionTarget } from './connection-target'
import { deliver } from './delivery'
import { sayAtExit } from './exit'
import { type Addon, loadAddon, type NativeFunctions } from './load'
import { Mailbox } from './mailbox'
import { Opcode, Outbox } from './outbox'
import type { PoolTarget } from './pool-target'
import { Slots } from './slots'

/**
 * All that this thread shares with Rust; a worker thread has its own. Rust lets it go when nothing is open and nothing
 * is on its way any more: the next opening has another, and what is still asked of closed connections and pools of this
 * one fails here as it would there.
 */
export class Environment {
  readonly native: NativeFunctions
  mailbox = new Mailbox()
  readonly outbox: Outbox
  readonly slots = new Slots()
  /** Open connections that JavaScript has heard of, by id. */
  readonly connections = new Map<number, ConnectionTarget>()
  /** Pools that are open, by id: those that are asked for passwords. */
  readonly pools = new Map<number, PoolTarget>()
  private lastPortal = 0
  private stayAtExit: (() => void) | undefined = undefined

  constructor(addon: Addon) {
    refuseOtherBoundary(addon)
    const { f, n, t, records } = this.mailbox
    this.native = addon.attach(
      f,
      n,
      t,
      records,
      (recordCount, extras) => deliver(this, recordCount, extras),
      () => this.letGo(),
    )
    this.outbox = new Outbox(this.native, (opcode, slot, failure) => this.refuse(opcode, slot, failure))
  }

  /** `process.exit` runs no clean-up hook of the addon: with the first session comes a handler that stands in. */
  sayGoodbyeAtExit(): void {
    this.stayAtExit ??= sayAtExit(() => this.native.sayGoodbye())
  }

  /** A number for a portal. Its sessions' open ones have others: there are 24 bits for it. */
  nextPortal(): number {
    this.lastPortal = (this.lastPortal % 0xff_ff_ff) + 1
    return this.lastPortal
  }

  /** Rust has forgotten the environment: nothing arrives any more, and its memory is free. */
  private letGo(): void {
    if (environment === this) environment = undefined
    this.stayAtExit?.()
    this.mailbox = Mailbox.EMPTY
    this.outbox.letGo()
  }

  /** A command that came after the environment was let go; everything is closed there. */
  private refuse(opcode: number, slot: number, failure: Failure): void {
    const request = this.slots.get(slot)
    if (request === undefined) return
    request.freeSlot()
    if (opcode === Opcode.CLOSE) request.complete(0, 0, undefined, false)
    else request.fail(failure)
  }
}

/** An addon that was built from other tables would take this side's memory for something else. */
function refuseOtherBoundary(addon: Addon): void {
  if (addon.boundaryFingerprint?.() !== FINGERPRINT) {
    throw new Error(
      'the native addon of oxpg was not built together with its JavaScript: reinstall oxpg, so that both are of one version',
    )
  }
}

let environment: Environment | undefined

/** The environment of this thread's openings, if there is one. */
export function environmentNow(): Environment | undefined {
  return environment
}

/**
 * The environment of this thread's openings, made at first use.
 *
 * @throws Error when the addon cannot be loaded, or is of another build.
 */
export function theEnvironment(): Environment {
  environment ??= new Environment(loadAddon())
  return environment
}

/** The pools that are open in the environment of this thread's openings, if there is one. */
export function poolsOfThread(): PoolTarget[] {
  return environment === undefined ? [] : [...environment.pools.values()]
}
