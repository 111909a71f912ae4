import type { Description, Queries, Query } from './queries'

const collected = new FinalizationRegistry<HeldQuery>((held) => held.letGo())

/** Keeps the statement of a text prepared on each connection that has prepared it. */
export class HeldQuery {
  private readonly queries: Queries
  private readonly query: Query

  constructor(queries: Queries, text: string) {
    this.queries = queries
    this.query = queries.hold(text)
  }

  /** The latest that a server said of it; undefined where nothing is known, as after `reloadSchemaState`. */
  get description(): Description | undefined {
    return this.query.description
  }

  /** Lets go when `owner` has been collected. */
  endWith(owner: object): void {
    collected.register(owner, this)
  }

  /** To be called once, unless it ends with an owner. */
  letGo(): void {
    this.queries.letGo(this.query)
  }
}
