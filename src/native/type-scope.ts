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
  /** Ids of all codecs that were ever given here: calls in flight may go by one that was replaced. */
  private readonly given: number[] = []

  constructor(native: NativeFunctions, id: number) {
    this.native = native
    this.id = id
  }

  /** Takes a codec for a type into use. */
  setCodec(schema: string, name: string, codec: TypeCodec): void {
    const id = registerCodec(codec)
    this.given.push(id)
    this.native.chooseCodec(this.id, schema, name, CHOICES[codec.format], id)
  }

  /** Makes values of a type cross like those of a family. */
  setFamily(schema: string, name: string, code: number): void {
    this.native.chooseCodec(this.id, schema, name, CodecChoice.FAMILY, code)
  }

  /** Values of a type cross as they do by default. */
  reset(schema: string, name: string): void {
    this.native.chooseCodec(this.id, schema, name, CodecChoice.DEFAULT, 0)
  }

  /** Nobody asks for the codecs any more. */
  close(): void {
    for (const id of this.given) unregisterCodec(id)
    this.given.length = 0
  }
}
