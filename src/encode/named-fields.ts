import { types } from 'node:util'
import { Row } from '../record'
import { describeValue } from '../types/describe-value'
import { isPlain } from '../types/plain-object'
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
    if (ArrayBuffer.isView(value) || types.isMap(value) || types.isSet(value)) return undefined
    for (const name of Object.keys(value)) {
      if (!this.known.has(name)) {
        throw new RefusedValue(
          value,
          `an object without ${describeValue(name)}, which the type does not have`,
        )
      }
    }
    if (
      !isPlain(value) &&
      !(value instanceof Row) &&
      !this.names.some((name) => name in value && !this.inherited.has(name))
    ) {
      return undefined
    }
    return value as NamedFields
  }

  /** What an object of {@link objectOf} has under one of the names; undefined for nothing. */
  read(fields: NamedFields, name: string): unknown {
    return this.inherited.has(name) && !Object.hasOwn(fields, name) ? undefined : fields[name]
  }
}
