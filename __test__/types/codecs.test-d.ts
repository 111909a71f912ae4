// Codecs of the application's: what their functions are given and have to return, by the format.
import { expectTypeOf } from 'expect-type'
import type {
  BuiltinTypeCodecOptions,
  Connection,
  ConnectOptions,
  NamedTypeCodec,
  Pool,
  PoolConnection,
  PoolOptions,
  TypeCodecOptions,
  TypeSchemaOptions,
} from 'oxpg'

declare const connection: Connection
declare const pool: Pool
declare const lease: PoolConnection

const date = { encode: (value: Date) => value.toISOString(), decode: (text: string) => new Date(text) }

expectTypeOf(connection.setTypeCodec('timestamptz', { schema: 'pg_catalog', ...date })).toEqualTypeOf<
  Promise<void>
>()
lease.setTypeCodec('timestamptz', { format: 'text', ...date })
connection.setTypeCodec('uuid', {
  format: 'binary',
  encode: (value: Uint8Array) => value,
  decode: (bytes) => {
    expectTypeOf(bytes).toEqualTypeOf<Buffer>()
    return bytes
  },
})
connection.setTypeCodec<{ x: number; y: number }>('pair', {
  schema: 'app',
  format: 'tuple',
  encode: (pair) => [pair.x, pair.y],
  decode: ([x, y]) => ({ x, y }),
})

// @ts-expect-error text codecs return text
connection.setTypeCodec('numeric', { encode: (value: number) => value, decode: Number })
// @ts-expect-error binary codecs return bytes
connection.setTypeCodec('uuid', { format: 'binary', encode: (value: string) => value, decode: String })
// @ts-expect-error tuple codecs return arrays
connection.setTypeCodec('pair', { format: 'tuple', encode: (value: string) => value, decode: String })
// @ts-expect-error both functions are needed
connection.setTypeCodec('numeric', { decode: Number })
// @ts-expect-error there is no such format
connection.setTypeCodec('numeric', { format: 'json', encode: String, decode: Number })
// @ts-expect-error encode and decode go together
connection.setTypeCodec<number>('numeric', { encode: String, decode: (text) => text })

expectTypeOf<Parameters<Connection['setBuiltinTypeCodec']>>().toEqualTypeOf<
  [string, BuiltinTypeCodecOptions]
>()
expectTypeOf<Parameters<Connection['resetTypeCodec']>[1]>().toEqualTypeOf<TypeSchemaOptions | undefined>()
expectTypeOf(connection.reloadSchemaState()).toEqualTypeOf<Promise<void>>()
// @ts-expect-error the name of the codec is needed
connection.setBuiltinTypeCodec('citext', {})

expectTypeOf<ConnectOptions['typeCodecs']>().toEqualTypeOf<readonly NamedTypeCodec[] | undefined>()
expectTypeOf<PoolOptions['typeCodecs']>().toEqualTypeOf<readonly NamedTypeCodec[] | undefined>()
const codecs: NamedTypeCodec[] = [
  { typeName: 'timestamptz', schema: 'pg_catalog', ...date },
  { typeName: 'citext', codecName: 'text' },
]
const inferred: ConnectOptions = {
  typeCodecs: [
    {
      typeName: 'numeric',
      encode: String,
      decode: (text) => {
        expectTypeOf(text).toEqualTypeOf<string>()
        return text
      },
    },
  ],
}
void inferred
expectTypeOf(codecs).toExtend<NonNullable<PoolOptions['typeCodecs']>>()
expectTypeOf<TypeCodecOptions<Date>>().toExtend<TypeCodecOptions<Date>>()
// @ts-expect-error a codec without its type's name
const nameless: NamedTypeCodec = { ...date }
// @ts-expect-error codecs are set on connections, or by the pool's option
pool.setTypeCodec('timestamptz', date)
void nameless
