/** Who has a connection of a pool: one that the application leased and has not released. */
export interface PoolHolder {
  /** The process id of the server's backend. */
  readonly serverPid: number
  /** Milliseconds since it was leased. */
  readonly heldMs: number
  /** The method of the pool that leased it. */
  readonly call: 'acquire' | 'use' | 'transaction' | 'begin'
  /** Where that was called, as the stack of an Error has it; undefined unless the pool has `leakDetectionMs`. */
  readonly stack: string | undefined
}
