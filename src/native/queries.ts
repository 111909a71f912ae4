import type { ResultPlan } from '../decode/mapping'
import { type ColumnDescription, type Shape, shapeOf } from '../decode/shape'
import { encoderFor, type ParameterDescription, type ParametersEncoder } from '../encode/encoders'
import { InterfaceError } from '../errors/index'
import { PARAMETER_MODES, type ParameterMode } from '../types/parameter-mode'
import { isWellFormed } from '../types/well-formed'
import type { NativeFunctions } from './load'

/** Texts that a connection of its own remembers, with what is known of them. */
export const CONNECTION_QUERIES = 1_000
/** The same of a pool, for all its connections. */
export const POOL_QUERIES = 5_000
/** Longer texts, in bytes of UTF-8, are neither remembered nor kept as prepared statements. */
const LONGEST_CACHEABLE_BYTES = 15 * 1024

/** What the server says of a statement: its parameters and the columns of its result. */
export interface Description {
  /** Unique in the process, at least 1. */
  readonly id: number
  readonly parameters: readonly ParameterDescription[]
  /** Empty when the statement gives no rows. */
  readonly columns: readonly ColumnDescription[]
}

const NO_ENCODERS: readonly undefined[] = new Array(PARAMETER_MODES).fill(undefined)

/** A description with the encoder of its parameters and the shape of its rows, made when they are first needed. */
export class StatementDescription implements Description {
  readonly id: number
  readonly parameters: readonly ParameterDescription[]
  readonly columns: readonly ColumnDescription[]
  /** By the mode of the parameters. */
  private readonly encoders: (ParametersEncoder | undefined)[] = NO_ENCODERS.slice()
  private shape: Shape | undefined = undefined
  private shapePlan: ResultPlan | undefined = undefined

  constructor(facts: Description) {
    this.id = facts.id
    this.parameters = facts.parameters
    this.columns = facts.columns
  }

  /** The encoder of the parameters; `mode` has the bits of {@link ParameterMode}. */
  encoderOf(mode: number): ParametersEncoder {
    const known = this.encoders[mode]
    if (known !== undefined) return known
    const encoder = encoderFor(this.parameters, mode)
    this.encoders[mode] = encoder
    return encoder
  }

  /** The shape of the rows that a plan makes. */
  shapeOf(plan: ResultPlan): Shape {
    if (this.shape === undefined || this.shapePlan !== plan) {
      this.shape = shapeOf(this.columns, plan)
      this.shapePlan = plan
    }
    return this.shape
  }
}

/** A query's text as Rust knows it, by its id. */
export class Query {
  readonly id: number
  readonly text: string
  /** The latest description, whichever of its connections it came from. */
  description: StatementDescription | undefined = undefined
  /** Requests that refer to it. */
  uses = 0
  /** Prepared statements of the application's that refer to it. While there are any it is in no list. */
  holds = 0
  isRemembered: boolean
  newer: Query | undefined = undefined
  older: Query | undefined = undefined

  constructor(id: number, text: string, isRemembered: boolean) {
    this.id = id
    this.text = text
    this.isRemembered = isRemembered
  }

  /** Takes a description that Rust announced; the same one twice stays the same object. */
  describe(facts: Description): StatementDescription {
    if (this.description === undefined || this.description.id !== facts.id) {
      this.description = new StatementDescription(facts)
    }
    return this.description
  }
}

/**
 * Queries by their text, of one connection or of all connections of one pool: elsewhere the same text may mean another
 * statement (another database, another `search_path`). Those used least recently are forgotten, but not those of which
 * the application holds a prepared statement.
 */
export class Queries {
  private readonly native: NativeFunctions
  private capacity: number
  private readonly byText = new Map<string, Query>()
  private newest: Query | undefined = undefined
  private oldest: Query | undefined = undefined
  /** Those in the map that are held. */
  private held = 0

  constructor(native: NativeFunctions, capacity: number) {
    this.native = native
    this.capacity = capacity
  }

  /** The query of a text, counted as in use until {@link release}. */
  use(text: string): Query {
    let query = this.byText.get(text)
    if (query === undefined) query = this.define(text)
    else if (query !== this.newest && query.holds === 0) this.renew(query)
    query.uses++
    return query
  }

  /** The query of a text that does not come again: nobody remembers it, and its statement has no name. */
  useOnce(text: string): Query {
    checkText(text)
    const query = new Query(this.native.defineQuery(text, false), text, false)
    query.uses++
    return query
  }

  /** Whether the application holds a prepared statement of a text. */
  isHeld(text: string): boolean {
    const query = this.byText.get(text)
    return query !== undefined && query.holds > 0
  }

  /** The query of a text, however long, whose statement stays prepared on its connections until {@link letGo}. */
  hold(text: string): Query {
    let query = this.byText.get(text)
    if (query === undefined) {
      query = this.make(text, this.capacity > 0)
      if (query.isRemembered) this.byText.set(text, query)
    } else if (query.holds === 0) this.takeOut(query)
    if (query.holds++ === 0 && query.isRemembered) {
      this.held++
      this.native.holdQuery(query.id, true)
    }
    return query
  }

  /** A prepared statement no longer refers to the query. */
  letGo(query: Query): void {
    if (--query.holds > 0) return
    if (!query.isRemembered) {
      if (query.uses === 0) this.native.forgetQuery(query.id)
      return
    }
    this.held--
    this.native.holdQuery(query.id, false)
    this.putFirst(query)
    if (isShort(query.text)) this.keepToCapacity()
    else this.evict(query)
  }

  /** A request no longer refers to the query. */
  release(query: Query): void {
    query.uses--
    if (query.uses === 0 && query.holds === 0 && !query.isRemembered) this.native.forgetQuery(query.id)
  }

  /** Forgets all, those in use when their last request has ended; of those that are held, what they were. */
  forgetAll(): void {
    while (this.oldest !== undefined) this.evict(this.oldest)
    for (const held of this.byText.values()) held.description = undefined
  }

  /** No connection has a use for them any more: forgets all, and remembers nothing from here on. */
  close(): void {
    this.capacity = 0
    for (const query of this.byText.values()) {
      query.isRemembered = false
      if (query.uses === 0 && query.holds === 0) this.native.forgetQuery(query.id)
    }
    this.byText.clear()
    this.newest = undefined
    this.oldest = undefined
    this.held = 0
  }

  private define(text: string): Query {
    const query = this.make(text, isShort(text) && this.capacity > 0)
    if (!query.isRemembered) return query
    // In this order: what is in the map is in the list, even where the stack ends between the two.
    this.putFirst(query)
    this.byText.set(text, query)
    this.keepToCapacity()
    return query
  }

  private make(text: string, isRemembered: boolean): Query {
    checkText(text)
    return new Query(this.native.defineQuery(text, isShort(text)), text, isRemembered)
  }

  private keepToCapacity(): void {
    if (this.byText.size - this.held > this.capacity) this.evict(this.oldest!)
  }

  private evict(query: Query): void {
    this.byText.delete(query.text)
    this.takeOut(query)
    query.isRemembered = false
    if (query.uses === 0) this.native.forgetQuery(query.id)
  }

  /** Without calls, which could leave it in neither place where the stack ends. */
  private renew(query: Query): void {
    const { newer, older } = query
    // The newest is not renewed.
    newer!.older = older
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    query.newer = undefined
    query.older = this.newest
    this.newest!.newer = query
    this.newest = query
  }

  private putFirst(query: Query): void {
    query.older = this.newest
    if (this.newest !== undefined) this.newest.newer = query
    this.newest = query
    this.oldest ??= query
  }

  private takeOut(query: Query): void {
    if (query.newer === undefined) this.newest = query.older
    else query.newer.older = query.older
    if (query.older === undefined) this.oldest = query.newer
    else query.older.newer = query.newer
    query.newer = undefined
    query.older = undefined
  }
}

/** @throws InterfaceError when another text would be executed. */
export function checkText(text: string): void {
  if (!isWellFormed(text)) throw new InterfaceError("the query's text has half of a surrogate pair in it")
}

function isShort(text: string): boolean {
  // A UTF-16 unit takes one to three bytes.
  if (text.length > LONGEST_CACHEABLE_BYTES) return false
  return text.length * 3 <= LONGEST_CACHEABLE_BYTES || Buffer.byteLength(text) <= LONGEST_CACHEABLE_BYTES
}
