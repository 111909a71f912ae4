import { types } from 'node:util'
import { Row } from '../record'
import { describeValue } from '../types/describe-value'
import { isPlain } from '../types/plain-object'
import { defineField, HeldObject } from './held-object'
import { RefusedValue } from './value-encoder'

/** A value whose fields are read by their names. */
export interface NamedFields {
  readonly [name: string]: unknown
}

/** Names under which objects have a member that is no field: of all objects, and of the rows of queries. */
function isInherited(name: string): boolean {
  return name in Object.prototype || name === 'toJSON' || /^[0-9]+$/.test(name)
}

/** The names of a type's fields, and how objects that stand for its values are read. */
export class FieldNames {
  private readonly names: readonly string[]
  private readonly known: ReadonlySet<string>
  private readonly inherited: ReadonlySet<string>

  constructor(names: readonly string[]) {
    this.names = names
    this.known = new Set(names)
    this.inherited = new Set(names.filter(isInherited))
  }

  /**
   * The value as an object with these fields; undefined for values of another kind. Of a class other than Row it has to
   * have one of the fields at least: Dates, promises and the like are none.
   *
   * @throws RefusedValue naming an own enumerable property that is no field: it would be lost.
   */
  objectOf(value: unknown): NamedFields | undefined {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return HeldObject.is(value)
      ? this.readable(value.original, value.fields) && this.heldFields(value)
      : this.readable(value, value)
  }

  /** The object as one with these fields; `fields` has those of its own. */
  private readable(object: object, fields: object): NamedFields | undefined {
    if (ArrayBuffer.isView(object) || types.isMap(object) || types.isSet(object)) return undefined
    for (const name of Object.keys(fields)) {
      if (!this.known.has(name)) {
        throw new RefusedValue(
          object,
          `an object without ${describeValue(name)}, which the type does not have`,
        )
      }
    }
    if (
      !isPlain(object) &&
      !(object instanceof Row) &&
      !this.names.some((name) => name in object && !this.inherited.has(name))
    ) {
      return undefined
    }
    return object as NamedFields
  }

  /** The fields that were held, and what the class itself has of the names. */
  private heldFields({ original, fields }: HeldObject): NamedFields {
    const held: { [name: string]: unknown } = {}
    for (const name of this.names) {
      if (Object.hasOwn(fields, name)) defineField(held, name, fields[name])
      else if (!this.inherited.has(name) && name in original) held[name] = (original as NamedFields)[name]
    }
    return held
  }

  /** What an object of {@link objectOf} has under one of the names; undefined for nothing. */
  read(fields: NamedFields, name: string): unknown {
    return this.inherited.has(name) && !Object.hasOwn(fields, name) ? undefined : fields[name]
  }
}
