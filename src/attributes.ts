import type { ColumnDescription } from './decode/shape'
import type { ParameterDescription } from './encode/encoders'
import { isArrayCode } from './types/type-code'

/** A type of PostgreSQL. */
export interface Type {
  readonly oid: number
  /** As in `pg_type`, with `[]` behind it for an array. */
  readonly name: string
  /** Base types and enums are scalars; domains are what their base types are. */
  readonly kind: 'scalar' | 'array' | 'composite' | 'range' | 'multirange'
  /** The schema that it is in. */
  readonly schema: string
}

/** A column of a result. */
export interface Attribute {
  readonly name: string
  readonly type: Type
  /** The table's OID, or 0 when the column is not one of a table. */
  readonly tableOid: number
  /** The column's number in its table, or 0. */
  readonly attributeNumber: number
  /** `pg_attribute.atttypmod`, such as the length of a varchar + 4; −1 for none. */
  readonly typeModifier: number
}

/** What has been made of a description's columns: descriptions keep theirs. */
const made = new WeakMap<readonly ColumnDescription[], readonly Attribute[]>()

/** The columns as the application sees them; of the same description the same, frozen. */
export function attributesOf(columns: readonly ColumnDescription[]): readonly Attribute[] {
  let attributes = made.get(columns)
  if (attributes === undefined) {
    attributes = Object.freeze(
      columns.map((column) =>
        Object.freeze({
          name: column.name,
          type: typeOf(column),
          tableOid: column.tableOid,
          attributeNumber: column.attributeNumber,
          typeModifier: column.typeModifier,
        }),
      ),
    )
    made.set(columns, attributes)
  }
  return attributes
}

/** The type of a parameter or column. */
export function typeOf({ typeOid, typeName, code, type }: ParameterDescription): Type {
  const isKnown = type !== undefined
  return Object.freeze({
    oid: typeOid,
    name: typeName,
    kind: isKnown ? type.kind : isArrayCode(code) ? 'array' : 'scalar',
    schema: isKnown ? type.schema : 'pg_catalog',
  })
}
