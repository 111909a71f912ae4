/**
 * Who has a connection of a pool: one that the application leased and has not released, or one that a hook of the pool has
 * for itself.
 */
export interface PoolHolder {
  /** The process id of the server's backend. */
  readonly serverPid: number
  /** Milliseconds since it was leased, or since the hook was called. */
  readonly heldMs: number
  /** The method of the pool that leased it, or the hook that runs. */
  readonly call: 'acquire' | 'use' | 'transaction' | 'begin' | 'stream' | 'init' | 'setup' | 'reset'
  /** Where it was leased, as the stack of an Error has it; undefined unless the pool has `leakDetectionMs`. */
  readonly stack: string | undefined
}
