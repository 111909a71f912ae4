import { ConnectionDoesNotExistError, errorFromFailure, InterfaceError } from './errors/index'
import type { ConnectionTarget } from './native/door'
import type { HookName } from './pool-options'

/**
 * Waits for a hook, but no longer than the session lives: a hook that waits for something else would keep its caller
 * waiting for a session that is gone. What becomes of the hook after that is nobody's any more.
 *
 * @throws what {@link endedWhile} gives when the session ends first; a `reset` may end it.
 */
export async function whileOpen(
  target: ConnectionTarget,
  name: HookName,
  call: () => Promise<unknown>,
): Promise<void> {
  let pending: NodeJS.Immediate | undefined
  let stop: (() => void) | undefined
  const end = new Promise<void>((resolve, reject) => {
    const settle = (): void => {
      // Nothing is left to be reset, as a `reset` that closes its session means it.
      if (name === 'reset' && isClosedByHook(target)) resolve()
      else reject(endedWhile(target, name))
    }
    stop = target.onceOver(() => {
      // A hook that was at work there has just been told why, and what it makes of that comes first.
      pending = setImmediate(settle)
    })
  })
  try {
    await Promise.race([call(), end])
  } finally {
    stop?.()
    clearImmediate(pending)
  }
}

/** Why a hook's session, which has ended, is nothing for whoever waits for the hook. */
export function endedWhile(target: ConnectionTarget, name: HookName): Error {
  const { closeFailure, isPoolTerminated } = target
  // The call has not begun before `init` and `setup` are through, and is over before `reset`.
  const safeToRetry = name !== 'reset'
  const when = `while the pool's hook ${name} ran`
  if (closeFailure !== undefined) {
    const cause = errorFromFailure(closeFailure)
    return new ConnectionDoesNotExistError(`the connection was lost ${when}`, { safeToRetry, cause })
  }
  if (isPoolTerminated) return new InterfaceError(`the pool was terminated ${when}`, { safeToRetry })
  return new InterfaceError(`the connection was closed ${when}`, { safeToRetry })
}

const isClosedByHook = ({ closeFailure, isPoolTerminated }: ConnectionTarget): boolean =>
  closeFailure === undefined && !isPoolTerminated
