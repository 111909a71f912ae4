/** What came of running the application's code: a value, or what it threw. */
type Outcome = { readonly value: unknown } | { readonly error: unknown }

/**
 * An object of a class, as it was when the call was made: its own fields, its text and its JSON. It stands in for the
 * object where the types of parameters are not known yet, so that what the caller does with the object meanwhile
 * changes nothing. A copy of the object itself could not be made: classes have private fields.
 */
export class HeldObject {
  readonly #original: object
  /** An object of the same prototype with its own enumerable fields. */
  fields: { readonly [name: string]: unknown } = {}
  private text: Outcome | undefined = undefined
  private json: Outcome | undefined = undefined

  constructor(original: object) {
    this.#original = original
  }

  /** Whether a value is one, of whatever a proxy would say. */
  static is(value: unknown): value is HeldObject {
    return typeof value === 'object' && value !== null && #original in value
  }

  /** The object, for the application's codecs and for members that its class has. */
  get original(): object {
    return this.#original
  }

  /** Whether the object says by itself what its JSON is. */
  get hasOwnJson(): boolean {
    return this.json !== undefined
  }

  holdText(outcome: Outcome): void {
    this.text = outcome
  }

  holdJson(outcome: Outcome): void {
    this.json = outcome
  }

  /** What the object's own `toString` gave. */
  toString(): string {
    return this.text === undefined ? '[object Object]' : (resultOf(this.text) as string)
  }

  /** What the object's own `toJSON` gave, or the fields. */
  toJSON(): unknown {
    return this.json === undefined ? this.fields : resultOf(this.json)
  }
}

function resultOf(outcome: Outcome): unknown {
  if ('error' in outcome) throw outcome.error
  return outcome.value
}

/** What was held for the value, or the value itself. */
export function originalOf(value: unknown): unknown {
  return HeldObject.is(value) ? value.original : value
}

/** Makes an own property whatever the object inherits under the name. */
export function defineField(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
}
