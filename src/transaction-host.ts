import type { ConnectionTarget } from './native/door'
import type { CallDefaults } from './send'

/** The connection that a transaction is on. */
export interface TransactionHost {
  /** @internal */
  readonly _defaults: CallDefaults
  /** @internal */
  _target(): ConnectionTarget
  /** @internal The same before anything is sent: what opens transactions that have started is not sent for it. */
  _targetToBegin(): ConnectionTarget
  /** @internal The same, for what ends a transaction: an exclusive use of the connection is no reason to refuse it. */
  _targetOfEnd(): ConnectionTarget
  /** @internal Takes the exclusive use of the connection back, such as a batch that is still being fed. */
  _vacate(): Promise<void>
  /** @internal Whether the session has ended, or was given back to its pool. */
  readonly _isGone: boolean
}
