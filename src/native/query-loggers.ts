import type { LoggedQuery } from './logged-query'

/**
 * Is told of each query when it is over, before its caller is, in the caller's context of `AsyncLocalStorage`. What it throws
 * is an uncaught exception.
 */
export type QueryLogger = (record: LoggedQuery) => unknown

/** The query loggers of one connection or pool. */
export class QueryLoggers {
  readonly #loggers = new Set<QueryLogger>()

  get size(): number {
    return this.#loggers.size
  }

  /** One that is there already is there once. */
  add(logger: QueryLogger): void {
    this.#loggers.add(logger)
  }

  delete(logger: QueryLogger): void {
    this.#loggers.delete(logger)
  }

  tell(record: LoggedQuery): void {
    for (const logger of [...this.#loggers]) {
      try {
        logger(record)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
