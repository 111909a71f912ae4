import type { TypeNode } from '../types/type-node'

/** A type's name for messages, with its schema unless it is a built-in one. */
export function qualifiedName({ schema, name }: TypeNode): string {
  return schema === 'pg_catalog' || schema === '' ? name : `${schema}.${name}`
}
