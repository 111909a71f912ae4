import { registerCodec, type TypeCodec, unregisterCodec } from '../types/type-codec'
import type { NativeFunctions } from './load'

/** Choices of `chooseCodec`; shared with `crates/node/src/types.rs`. */
const Choice = { NONE: 0, text: 1, binary: 2, tuple: 3, FAMILY: 4 } as const

/** The codecs that one connection or pool has been given, by type. */
export class TypeScope {
  private readonly native: NativeFunctions
  /** The connection or pool as Rust knows it. */
  private readonly id: number
  /** Ids of the codecs given here. */
  private readonly given = new Map<string, number>()

  constructor(native: NativeFunctions, id: number) {
    this.native = native
    this.id = id
  }

  /** Takes a codec for a type into use. */
  setCodec(schema: string, name: string, codec: TypeCodec): void {
    this.forget(schema, name)
    const id = registerCodec(codec)
    this.given.set(keyOf(schema, name), id)
    this.native.chooseCodec(this.id, schema, name, Choice[codec.format], id)
  }

  /** Makes values of a type cross like those of a family. */
  setFamily(schema: string, name: string, code: number): void {
    this.forget(schema, name)
    this.native.chooseCodec(this.id, schema, name, Choice.FAMILY, code)
  }

  /** Values of a type cross as they do by default. */
  reset(schema: string, name: string): void {
    this.forget(schema, name)
    this.native.chooseCodec(this.id, schema, name, Choice.NONE, 0)
  }

  /** Nobody asks for the codecs any more. */
  close(): void {
    for (const id of this.given.values()) unregisterCodec(id)
    this.given.clear()
  }

  private forget(schema: string, name: string): void {
    const key = keyOf(schema, name)
    const id = this.given.get(key)
    if (id === undefined) return
    unregisterCodec(id)
    this.given.delete(key)
  }
}

/** No name of PostgreSQL's has a NUL character. */
function keyOf(schema: string, name: string): string {
  return `${schema}\0${name}`
}
