import { POOL_BIT } from '../types/boundary'
import { giveDefaultRoots } from './default-roots'
import type { Environment } from './environment'
import { PoolTarget } from './pool-target'
import { abortedRequest, NO_PARAMETERS, Request } from './request'

/** Id of a pool that Rust has never heard of: requests to it fail as those to a closed pool do. */
const NO_POOL = POOL_BIT

/** Opens a session in an environment; see `openConnection` in `door.ts`. */
export function openConnectionIn(
  environment: Environment,
  configJson: string,
  signal: AbortSignal | undefined,
): Request {
  if (signal?.aborted) return abortedRequest(environment, undefined, signal)
  overtakeNothing(environment)
  const request = new Request(environment, undefined, undefined, NO_PARAMETERS, undefined)
  if (signal !== undefined) request.watch(signal)
  environment.sayGoodbyeAtExit()
  giveDefaultRoots(environment, configJson)
  environment.native.open(request.slot, configJson)
  return request
}

/** Opens a pool in an environment; see `openPool` in `door.ts`. */
export function openPoolIn(
  environment: Environment,
  configJson: string,
  optionsJson: string,
  signal: AbortSignal | undefined,
): { pool: PoolTarget; ready: Request } {
  if (signal?.aborted) {
    const ready = abortedRequest(environment, undefined, signal)
    return { pool: new PoolTarget(environment, NO_POOL), ready }
  }
  overtakeNothing(environment)
  const ready = new Request(environment, undefined, undefined, NO_PARAMETERS, undefined)
  if (signal !== undefined) ready.watch(signal)
  environment.sayGoodbyeAtExit()
  giveDefaultRoots(environment, configJson)
  const id = environment.native.openPool(ready.slot, configJson, optionsJson)
  const pool = new PoolTarget(environment, id)
  environment.pools.set(id, pool)
  return { pool, ready }
}

/** Openings do not go through the outbox, where a command may wait that abandons the last use of the same slot. */
function overtakeNothing(environment: Environment): void {
  if (!environment.outbox.isEncoding) environment.outbox.flush()
}
