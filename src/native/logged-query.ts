/** Where a session is, as it was configured. What is not known is undefined. */
export interface ServerPlace {
  /** A name, an address, or the folder of a Unix socket: as it was named. */
  readonly host: string | undefined
  readonly port: number | undefined
  readonly database: string | undefined
  readonly user: string | undefined
}

/** Of which nothing is known yet. */
export const NOWHERE: ServerPlace = Object.freeze({
  host: undefined,
  port: undefined,
  database: undefined,
  user: undefined,
})

/**
 * What a call sends: one statement (`fetch`, `execute` with parameters), a script of any number of them (`execute`
 * without), one statement for many rows of parameters (`executeMany`, `fetchMany`), the statements of `batch`, a statement to
 * be prepared, or what starts and ends a transaction or savepoint.
 */
export type LoggedQueryKind = 'query' | 'script' | 'batch' | 'group' | 'prepare' | 'transaction'

/** A clock that nobody sets, without a module. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6

/**
 * One query: what loggers are told, and the context object of the channel `oxpg:query`. What is only known at the end is
 * undefined before.
 */
export class LoggedQuery {
  readonly kind: LoggedQueryKind
  /** The text, without the comment of `queryTags`. */
  readonly query: string
  /** Milliseconds that it may take; 0 for no limit. */
  readonly timeoutMs: number
  /** Whether it was made on a pool, which chooses a connection. */
  readonly isPooled: boolean
  host: string | undefined
  port: number | undefined
  database: string | undefined
  user: string | undefined
  /** The process id of the server's backend; of a call on a pool once it has a connection. */
  serverPid: number | undefined = undefined
  /** Milliseconds from the call to its end, the wait for a connection among them. */
  elapsedMs: number | undefined = undefined
  /** The command tag, such as `INSERT 0 1`; empty where a call has taken the first row alone. */
  tag: string | undefined = undefined
  /** Rows that the command tag counts; where there is none those that the call was given. */
  rowCount: number | undefined = undefined
  /** What the call rejects with. Not there when it has gone well. */
  declare error?: unknown
  /** The texts of a `batch`, in their order; undefined of all else. */
  readonly statements: readonly string[] | undefined
  readonly #params: readonly unknown[] | undefined
  readonly #since = nowMs()

  /** @internal */
  constructor(
    kind: LoggedQueryKind,
    query: string,
    params: readonly unknown[] | undefined,
    timeoutMs: number,
    isPooled: boolean,
    { host, port, database, user }: ServerPlace,
    statements?: readonly string[],
  ) {
    this.kind = kind
    this.query = query
    this.timeoutMs = timeoutMs
    this.isPooled = isPooled
    this.host = host
    this.port = port
    this.database = database
    this.user = user
    this.statements = statements
    this.#params = params?.slice()
  }

  /**
   * The values of `$1`, `$2` …, for whoever asks: they may be secrets, so neither `util.inspect` nor `JSON.stringify` shows
   * them. Undefined where there are none, and of batches, whose rows are nobody's to keep.
   */
  get params(): readonly unknown[] | undefined {
    return this.#params
  }

  /** The first word of the text, in capitals: `SELECT`, `WITH`, `BEGIN`; empty when it begins with none. */
  get operation(): string {
    return operationOf(this.query)
  }

  /** @internal The same of each statement of a batch; of all else the one. */
  get _operations(): readonly string[] {
    return this.statements?.map(operationOf) ?? [this.operation]
  }

  /** @internal It runs there. */
  _at({ host, port, database, user, backendPid }: ServerPlace & { readonly backendPid: number }): void {
    this.host = host
    this.port = port
    this.database = database
    this.user = user
    this.serverPid = backendPid
  }

  /** @internal It is over. */
  _end(): void {
    this.elapsedMs = nowMs() - this.#since
  }
}

/** The first word of a query behind spaces, comments and parentheses, in capitals. */
export function operationOf(text: string): string {
  let at = 0
  for (;;) {
    const next = text.slice(at, at + 2)
    if (next === '--') {
      const end = text.indexOf('\n', at)
      if (end < 0) return ''
      at = end + 1
    } else if (next === '/*') at = endOfComment(text, at)
    else if (/^[\s(]/.test(next)) at++
    else break
  }
  return (/^[a-z]+/i.exec(text.slice(at, at + 64))?.[0] ?? '').toUpperCase()
}

/** Comments nest (manual, "Lexical Structure"). */
function endOfComment(text: string, from: number): number {
  const bounds = /\/\*|\*\//g
  bounds.lastIndex = from
  let depth = 0
  for (let bound = bounds.exec(text); bound !== null; bound = bounds.exec(text)) {
    depth += bound[0] === '/*' ? 1 : -1
    if (depth === 0) return bounds.lastIndex
  }
  return text.length
}
