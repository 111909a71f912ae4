import { InterfaceError } from './errors/index'

/** As Rust says it of a call that needs no hooks. */
export function leftOpen(): Error {
  return new InterfaceError(
    "the query left a transaction open on a connection that is nobody's any more, and it is rolled back: call " +
      'transaction() or begin() of the pool, or acquire() for a session of your own',
    { safeToRetry: false },
  )
}

/** A call inside one of the pool's own transactions has waited for a connection in vain. */
export function nestingError(maxSize: number, holderPid: number): Error {
  return new InterfaceError(
    `a call on the pool inside one of the pool's own transactions waited for a connection, and none of ${maxSize} was ` +
      `free, one of them (server pid ${holderPid}) in use by that transaction: make the call on the transaction, or make ` +
      'the pool larger',
  )
}
