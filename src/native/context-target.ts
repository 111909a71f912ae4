import type { Failure } from '../errors/index'
import type { ConnectionTarget } from './connection-target'
import type { Environment } from './environment'
import type { GroupRequest, GroupStatement } from './group-request'
import type { ServerPlace } from './logged-query'
import type { PoolTarget } from './pool-target'
import type { Queries } from './queries'
import type { QueryLoggers } from './query-loggers'
import type { Request } from './request'
import type { RequestOptions, ScriptOptions, StatementOptions } from './request-options'
import { Target } from './target'

/** A statement that makes settings, whose parameters are texts. */
export interface ContextStatement {
  readonly text: string
  readonly values: readonly string[]
  /** What decides on the meaning of names, of these settings: what is known of statements holds for one of it. */
  readonly names: string
}

/** A pool, whose statements are executed behind one that makes settings, in the same Sync group. */
export class ContextTarget extends Target {
  private readonly pool: PoolTarget
  private readonly context: ContextStatement

  constructor(environment: Environment, pool: PoolTarget, queries: Queries, context: ContextStatement) {
    super(environment, pool.id, queries)
    this.pool = pool
    this.context = context
    this.tags = pool.tags
  }

  override place(): ServerPlace {
    return this.pool.place()
  }

  override session(): ConnectionTarget | undefined {
    return undefined
  }

  override queryLoggers(): readonly QueryLoggers[] {
    return this.pool.queryLoggers()
  }

  protected override sendQuery(
    text: string,
    params: readonly unknown[] | undefined,
    options: StatementOptions,
  ): Request {
    const request = this.sendGroup([{ text, params, options }], options)
    request.isQuery = true
    return request
  }

  /** A single statement that may share a Sync, without parameters. */
  override script(text: string, options: ScriptOptions & StatementOptions): Request {
    return this.query(text, undefined, options)
  }

  protected override sendGroup(statements: readonly GroupStatement[], options: RequestOptions): GroupRequest {
    return this.groupBehind(this.context, statements, options)
  }

  override refusalOf(text: string): Failure | undefined {
    return this.pool.refusalOf(text)
  }

  override explainWait(failure: Failure): void {
    this.pool.explainWait(failure)
  }
}
