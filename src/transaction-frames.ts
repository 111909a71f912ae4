import { AsyncLocalStorage } from 'node:async_hooks'
import { InterfaceError } from './errors/index'
import type { Scope } from './transaction-scope'

/** The transactions whose callbacks are running here, the innermost first. */
export interface Frame {
  readonly scope: Scope
  readonly outer: Frame | undefined
  /** What the callback was given. */
  readonly transaction: object
}

const frames = new AsyncLocalStorage<Frame>()

/** Transaction callbacks that are running: while there are none, nobody needs to look for a frame. */
let runningCallbacks = 0

/** Runs a transaction's callback; what it calls, and sets going, finds its frame. */
export async function runInFrame<R>(
  scope: Scope,
  transaction: object,
  callback: () => R | PromiseLike<R>,
): Promise<R> {
  runningCallbacks++
  try {
    return await frames.run({ scope, outer: frames.getStore(), transaction }, callback)
  } finally {
    runningCallbacks--
  }
}

/** The innermost frame here, as long as any callback runs. */
export function currentFrame(): Frame | undefined {
  return runningCallbacks === 0 ? undefined : frames.getStore()
}

/** The process id of the server's backend on which a transaction callback of `owner`'s is being run here, if one is. */
export function transactionPidOf(owner: object): number | undefined {
  for (let frame = currentFrame(); frame !== undefined; frame = frame.outer) {
    if (frame.scope.owner === owner && !frame.scope.isOver) return frame.scope.serverPid
  }
  return undefined
}

/**
 * The innermost transaction of `owner`'s in whose callback this is called, or in what the callback has set going.
 *
 * @throws InterfaceError when that transaction is over, or what has ended it.
 */
export function joinedTransaction(owner: object): object | undefined {
  for (let frame = frames.getStore(); frame !== undefined; frame = frame.outer) {
    if (frame.scope.owner !== owner) continue
    frame.scope.refuseWhenCutShort()
    // One that has ended under its callback, as with its connection, says so itself.
    if (!frame.scope.isOver || frame.scope.isCallbackRunning) return frame.transaction
    throw new InterfaceError(
      'the transaction that this call of the pool would have joined is over (ambientTransactions): what belongs to it is ' +
        'awaited in its callback; pool.use() runs outside of any transaction',
    )
  }
  return undefined
}
