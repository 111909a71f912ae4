import { CURSOR_OPTIONS, checkQueryOptions, parametersOf, textOf } from './call-arguments'
import { CursorFactory } from './cursor'
import type { RowMode } from './decode/mapping'
import { type ConnectionTarget, takenNow } from './native/door'
import { wholeNumber } from './options'
import { PortalSource, SizeByBytes } from './portal-source'
import { QueryMethods } from './query-methods'
import type {
  ArrayMode,
  CursorOptions,
  ObjectMode,
  Parameters,
  Query,
  RecordMode,
  RowOf,
  RowTypes,
  UnknownRow,
} from './query-options'
import type { Row } from './record'
import { type RowSource, type SourceQuery, StreamSource } from './row-source'
import { statementOptions } from './send'
import type { Scope } from './transaction-scope'

/** Rows that a cursor fetches at a time. */
const PREFETCH = 50

/** The query methods of what has a session: connections and transactions. */
export abstract class SessionMethods<M extends RowMode = 'object'> extends QueryMethods<M> {
  /** @internal */
  abstract override _target(): ConnectionTarget
  /** @internal */
  abstract _targetOfPortal(): ConnectionTarget
  /** @internal */
  abstract readonly _scope: Scope
  /** @internal */
  abstract readonly _hasTransaction: boolean

  /**
   * A query whose rows are fetched in parts, in a transaction, as PostgreSQL demands. Nothing is sent yet: iterate over it,
   * or `open` it.
   */
  cursor<T extends readonly unknown[] = unknown[]>(
    query: Query,
    params: Parameters | undefined,
    options: ArrayMode & CursorOptions<'array'>,
  ): CursorFactory<T>
  cursor<T = Record<string, unknown>>(
    query: Query,
    params: Parameters | undefined,
    options: ObjectMode & CursorOptions,
  ): CursorFactory<T>
  cursor<T = Record<string, unknown>>(
    query: Query,
    params: Parameters | undefined,
    options: RecordMode & CursorOptions<'record'>,
  ): CursorFactory<Row<T>>
  cursor<T extends RowTypes<M> = UnknownRow<M>>(
    query: Query,
    params?: Parameters,
    options?: CursorOptions<M>,
  ): CursorFactory<RowOf<M, T>>
  cursor(query: Query, params?: Parameters, options?: CursorOptions<RowMode>): CursorFactory<unknown> {
    return this._cursor(textOf(query), parametersOf(query, params), options)
  }

  /** @internal */
  override _cursor(
    text: string,
    params: Parameters | undefined,
    options: CursorOptions<RowMode> | undefined,
  ): CursorFactory<unknown> {
    checkQueryOptions(options, CURSOR_OPTIONS)
    const prefetch =
      options?.prefetch === undefined ? PREFETCH : wholeNumber('prefetch', options.prefetch, 1, 2_147_483_647)
    const given = statementOptions(this._defaults.rows, options)
    return new CursorFactory(this, { text, params: takenNow(params), options: given }, prefetch)
  }

  /** @internal Whether there is a transaction is known when the first row is asked for. */
  override _rowSource(query: SourceQuery): RowSource {
    let source: RowSource | undefined
    const choose = (): RowSource => {
      const { isSimple } = this._target()
      // The simple protocol has no portals.
      return this._hasTransaction && !isSimple
        ? new PortalSource(this, query, new SizeByBytes())
        : new StreamSource(this, query)
    }
    return {
      next: async () => {
        source ??= choose()
        return source.next()
      },
      close: async () => source?.close(),
    }
  }
}
