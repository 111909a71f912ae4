import type { ConnectPlan } from './connect-options'
import { askForCredentials } from './credentials'
import { errorFromFailure } from './errors/index'
import { Limit } from './limit'
import { type ConnectionTarget, connectTimeoutOf, openConnection } from './native/door'
import { openWithTypeCodecs } from './type-codecs'

/**
 * Opens a session that belongs to no pool.
 *
 * @param signal Ends the opening.
 * @throws what `connect` does.
 */
export async function openSession(
  { config, credentials, isSimple, tags }: ConnectPlan,
  typeCodecs: Parameters<typeof openWithTypeCodecs>[1],
  signal: AbortSignal | undefined,
): Promise<ConnectionTarget> {
  let configJson = JSON.stringify(config)
  // What is done here is done in the time for all of connecting.
  const isMoreToDo = credentials !== undefined || typeCodecs.length > 0
  const limit = new Limit(isMoreToDo ? connectTimeoutOf(configJson) : 0, signal)
  if (credentials !== undefined) {
    const given = await askForCredentials(credentials, limit)
    const particulars = { ...given, connectTimeoutMs: limit.remainingMs }
    configJson = JSON.stringify({ ...config, options: { ...config.options, ...particulars } })
  }
  const request = openConnection(configJson, signal)
  await request.settled
  if (request.failure !== undefined) throw errorFromFailure(request.failure)
  const target = request.connection!
  target.isSimple = isSimple
  target.tags = tags
  await openWithTypeCodecs(target, typeCodecs, limit)
  return target
}
