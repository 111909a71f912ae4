/** A value to be written as JSON, whatever it is; made by {@link json}. */
export class JsonValue {
  /** The value as it was given. */
  readonly value: unknown

  constructor(value: unknown) {
    this.value = value
  }

  /** Within other JSON the mark means nothing. */
  toJSON(): unknown {
    return this.value
  }
}

/**
 * Marks a parameter to be encoded with `JSON.stringify`, strings and null included. Without the mark a string is
 * taken as JSON text, null as SQL NULL, and an array that is given for a `json[]` as the array of its elements.
 */
export function json(value: unknown): JsonValue {
  return new JsonValue(value)
}
