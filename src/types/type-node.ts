/**
 * A type that a server's catalog describes, with what it is made of. A domain has its own OID and name, and the rest of
 * its base type. Descriptions have one for every type that is not a built-in one without parts.
 */
export type TypeNode = ScalarNode | ArrayNode | CompositeNode | RangeNode | MultirangeNode

interface NodeBase {
  /** Unique in the process, at least 1. */
  readonly id: number
  readonly oid: number
  readonly schema: string
  /** With `[]` behind it for an array type. */
  readonly name: string
  /** How values cross: see `type-code.ts`. */
  readonly code: number
  /** The id of the application's codec for the type; 0 for none. */
  readonly codec: number
}

/** Base types and enums. */
export interface ScalarNode extends NodeBase {
  readonly kind: 'scalar'
}

export interface ArrayNode extends NodeBase {
  readonly kind: 'array'
  readonly element: TypeNode
  /** What stands between elements in PostgreSQL's text: a comma for nearly all types. */
  readonly delimiter: string
}

export interface CompositeNode extends NodeBase {
  readonly kind: 'composite'
  /** The attributes in order, without those that were dropped. */
  readonly fields: readonly CompositeField[]
}

export interface CompositeField {
  readonly name: string
  readonly type: TypeNode
}

export interface RangeNode extends NodeBase {
  readonly kind: 'range'
  /** The type of the bounds. */
  readonly subtype: TypeNode
}

export interface MultirangeNode extends NodeBase {
  readonly kind: 'multirange'
  /** The type of the ranges. */
  readonly range: TypeNode
}
