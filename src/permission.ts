/** What Node's permission model says; there is none without `--permission`. */
interface Permission {
  has(scope: string): boolean
}

/**
 * Refuses to connect where `node:net` would: the addon's own sockets are out of Node's sight.
 *
 * @throws Error with the code `ERR_ACCESS_DENIED`, as `node:net` has it.
 */
export function checkNetPermission(): void {
  const { permission, allowedNodeEnvironmentFlags } = process as typeof process & { permission?: Permission }
  // Before Node 25 the model knows no network, and its answer to `net` is no.
  if (permission === undefined || !allowedNodeEnvironmentFlags.has('--allow-net')) return
  if (permission.has('net')) return
  const message = 'Access to this API has been restricted. Use --allow-net to manage permissions.'
  throw Object.assign(new Error(message), { code: 'ERR_ACCESS_DENIED', permission: 'Net' })
}
