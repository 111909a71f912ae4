import { CodecChoice } from '../types/boundary'
import { registerCodec, type TypeCodec, unregisterCodec } from '../types/type-codec'
import type { NativeFunctions } from './load'

/** The choice of each format that a codec may have. */
const CHOICES = {
  text: CodecChoice.TEXT,
  binary: CodecChoice.BINARY,
  tuple: CodecChoice.TUPLE,
} satisfies Record<TypeCodec['format'], number>

/** The codecs that one connection or pool has been given. */
export class TypeScope {
  private readonly native: NativeFunctions
  /** The connection or pool as Rust knows it. */
  private readonly id: number
  /** The id of each type's codec, by the type's name. */
  private readonly given = new Map<string, number>()
  /** Ids of codecs that were replaced or reset: calls in flight may still go by them. */
  private replaced: number[] = []
  private readonly isQuiet: () => boolean

  /** `isQuiet` tells whether no call is in flight. */
  constructor(native: NativeFunctions, id: number, isQuiet: () => boolean) {
    this.native = native
    this.id = id
    this.isQuiet = isQuiet
  }

  /** Takes a codec for a type into use. */
  setCodec(schema: string, name: string, codec: TypeCodec): void {
    const id = registerCodec(codec)
    this.replace(schema, name, id)
    this.native.chooseCodec(this.id, schema, name, CHOICES[codec.format], id)
  }

  /** Makes values of a type cross like those of a family. */
  setFamily(schema: string, name: string, code: number): void {
    this.replace(schema, name, undefined)
    this.native.chooseCodec(this.id, schema, name, CodecChoice.FAMILY, code)
  }

  /** Values of a type cross as they do by default. */
  reset(schema: string, name: string): void {
    this.replace(schema, name, undefined)
    this.native.chooseCodec(this.id, schema, name, CodecChoice.DEFAULT, 0)
  }

  /** Nobody asks for the codecs any more. */
  close(): void {
    for (const id of this.given.values()) unregisterCodec(id)
    this.given.clear()
    this.forgetReplaced()
  }

  private replace(schema: string, name: string, id: number | undefined): void {
    const key = JSON.stringify([schema, name])
    const before = this.given.get(key)
    if (before !== undefined) this.replaced.push(before)
    if (id === undefined) this.given.delete(key)
    else this.given.set(key, id)
    if (this.isQuiet()) this.forgetReplaced()
  }

  private forgetReplaced(): void {
    for (const id of this.replaced) unregisterCodec(id)
    this.replaced = []
  }
}
