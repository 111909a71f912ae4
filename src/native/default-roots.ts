import { readFileSync } from 'node:fs'
import type { Environment } from './environment'

/**
 * Gives Rust the certificates that Node trusts, if a configuration wants to verify servers by them. `node:tls` is loaded
 * for this only.
 */
export function giveDefaultRoots(environment: Environment, configJson: string): void {
  const { native } = environment
  if (!native.areDefaultRootsMissing(configJson)) return
  // Then those that Node has built in do not count; those of NODE_EXTRA_CA_CERTS do.
  const isSystemTrusted = isOpensslTrusted()
  const roots = isSystemTrusted ? extraRoots() : defaultRoots()
  native.setDefaultRoots(roots.join('\n'), isSystemTrusted ? 1 : 0)
}

/** Whether Node was told `--use-openssl-ca`: Node has no word for what is trusted then. */
function isOpensslTrusted(): boolean {
  const variable = process.env.NODE_OPTIONS?.split(/\s+/) ?? []
  return [...process.execArgv, ...variable].includes('--use-openssl-ca')
}

function defaultRoots(): readonly string[] {
  const tls: typeof import('node:tls') & {
    // From Node 22.15 on.
    getCACertificates?: (type: 'default') => string[]
  } = require('node:tls')
  if (tls.getCACertificates !== undefined) return tls.getCACertificates('default')
  return [...tls.rootCertificates, ...extraRoots()]
}

/** As Node does: a file that cannot be read is left out. */
function extraRoots(): string[] {
  const path = process.env.NODE_EXTRA_CA_CERTS
  if (path === undefined || path === '') return []
  try {
    return [readFileSync(path, 'latin1')]
  } catch {
    return []
  }
}
