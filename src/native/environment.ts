import { FINGERPRINT } from '../types/boundary'
import { deliver } from './delivery'
import { type Addon, loadAddon, type NativeFunctions } from './load'
import { Mailbox } from './mailbox'
import { Outbox } from './outbox'
import { Slots } from './slots'
import type { ConnectionTarget } from './targets'

/** All that this thread shares with Rust. A worker thread has its own. */
export class Environment {
  readonly native: NativeFunctions
  readonly mailbox = new Mailbox()
  readonly outbox: Outbox
  readonly slots = new Slots()
  /** Open connections that JavaScript has heard of, by id. */
  readonly connections = new Map<number, ConnectionTarget>()
  private hasExitHandler = false

  constructor(addon: Addon) {
    refuseOtherBoundary(addon)
    const { f, n, t, records } = this.mailbox
    this.native = addon.attach(f, n, t, records, (recordCount, extras) => deliver(this, recordCount, extras))
    this.outbox = new Outbox(this.native)
  }

  /** `process.exit` runs no clean-up hook of the addon: with the first session comes a handler that stands in. */
  sayGoodbyeAtExit(): void {
    if (this.hasExitHandler) return
    this.hasExitHandler = true
    process.on('exit', () => this.native.sayGoodbye())
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

/**
 * This thread's environment, made at first use.
 *
 * @throws Error when the addon cannot be loaded, or is of another build.
 */
export function theEnvironment(): Environment {
  environment ??= new Environment(loadAddon())
  return environment
}
