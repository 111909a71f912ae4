import { InterfaceError, TransactionResolutionUnknownError } from './errors/index'
import type { CallOptions } from './query-options'
import { quoteLiteral } from './quote-literal'
import { lostEnd } from './transaction-limits'
import { describeArgument } from './types/describe-value'
import { isWellFormed } from './types/well-formed'

/** The server's limit, without the byte that ends it (manual, "PREPARE TRANSACTION"). */
const MAX_GID_BYTES = 199

/**
 * Checks the identifier of a prepared transaction, and writes it as a literal.
 *
 * @param where What was called.
 * @throws InterfaceError
 */
export function quoteGid(where: string, gid: unknown): string {
  if (typeof gid !== 'string') {
    throw new InterfaceError(
      `${where}: expected the transaction's identifier, a string, not ${describeArgument(gid)}`,
    )
  }
  const length = Buffer.byteLength(gid)
  const wrong =
    gid === ''
      ? 'be empty'
      : gid.includes('\0')
        ? 'contain NUL'
        : !isWellFormed(gid)
          ? 'contain half of a surrogate pair'
          : length > MAX_GID_BYTES
            ? `be longer than ${MAX_GID_BYTES} bytes, and this one has ${length}`
            : undefined
  if (wrong !== undefined)
    throw new InterfaceError(`${where}: the transaction's identifier must not ${wrong}`)
  return quoteLiteral(gid)
}

/** Ends a prepared transaction, on whichever connection of its database. */
export async function endPrepared(
  host: { execute(query: string, params: undefined, options?: CallOptions): Promise<string> },
  how: 'COMMIT' | 'ROLLBACK',
  gid: unknown,
  options: CallOptions | undefined,
): Promise<void> {
  const literal = quoteGid(how === 'COMMIT' ? 'commitPrepared' : 'rollbackPrepared', gid)
  try {
    await host.execute(`${how} PREPARED ${literal}`, undefined, options)
  } catch (error) {
    // Its message is that of any command that may commit.
    if (error instanceof TransactionResolutionUnknownError && Object.isExtensible(error)) {
      error.message = `${lostEnd(`${how} PREPARED`)}; it has as soon as pg_prepared_xacts no longer lists it`
    }
    throw error
  }
}
