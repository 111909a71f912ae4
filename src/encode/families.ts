import { TypeCode } from '../types/type-code'
import { dateEncoder, timeEncoder, timestampEncoderFamily, timestamptzEncoderFamily } from './date-time'
import {
  boxEncoder,
  circleEncoder,
  lineEncoder,
  lineSegmentEncoder,
  pathEncoder,
  pointEncoder,
  polygonEncoder,
} from './geometry'
import { hstoreEncoder } from './hstore'
import { intervalEncoder } from './interval'
import { jsonEncoder } from './json'
import {
  boolEncoder,
  float4Encoder,
  float8Encoder,
  int2Encoder,
  int4Encoder,
  int8Encoder,
  numericEncoder,
  oidEncoder,
  xid8Encoder,
} from './numbers'
import {
  bitEncoder,
  byteaEncoder,
  charEncoder,
  ewkbEncoder,
  recordEncoder,
  textEncoder,
  uuidEncoder,
} from './text'
import type { TypeEncoder } from './value-encoder'
import { halfvecEncoder, vectorEncoder } from './vector'

/** The families whose code alone says how their values are encoded. */
const FAMILIES: { readonly [code: number]: TypeEncoder } = {
  [TypeCode.BOOL]: boolEncoder,
  [TypeCode.INT2]: int2Encoder,
  [TypeCode.INT4]: int4Encoder,
  [TypeCode.INT8]: int8Encoder,
  [TypeCode.OID]: oidEncoder,
  [TypeCode.FLOAT4]: float4Encoder,
  [TypeCode.FLOAT8]: float8Encoder,
  [TypeCode.NUMERIC]: numericEncoder,
  [TypeCode.TEXT]: textEncoder,
  [TypeCode.CHAR]: charEncoder,
  [TypeCode.BYTEA]: byteaEncoder,
  [TypeCode.JSON]: jsonEncoder,
  [TypeCode.JSONB]: jsonEncoder,
  [TypeCode.UUID]: uuidEncoder,
  [TypeCode.DATE]: dateEncoder,
  [TypeCode.TIME]: timeEncoder,
  [TypeCode.TIMESTAMP]: timestampEncoderFamily,
  [TypeCode.TIMESTAMPTZ]: timestamptzEncoderFamily,
  [TypeCode.INTERVAL]: intervalEncoder,
  [TypeCode.TIMETZ]: textEncoder,
  [TypeCode.INET]: textEncoder,
  [TypeCode.MACADDR]: textEncoder,
  [TypeCode.BIT]: bitEncoder,
  [TypeCode.POINT]: pointEncoder,
  [TypeCode.LINE]: lineEncoder,
  [TypeCode.LSEG]: lineSegmentEncoder,
  [TypeCode.BOX]: boxEncoder,
  [TypeCode.PATH]: pathEncoder,
  [TypeCode.POLYGON]: polygonEncoder,
  [TypeCode.CIRCLE]: circleEncoder,
  [TypeCode.LSN]: textEncoder,
  [TypeCode.TID]: textEncoder,
  [TypeCode.SNAPSHOT]: textEncoder,
  [TypeCode.VERSIONED]: textEncoder,
  [TypeCode.XID8]: xid8Encoder,
  [TypeCode.HSTORE]: hstoreEncoder,
  [TypeCode.VECTOR]: vectorEncoder,
  [TypeCode.HALFVEC]: halfvecEncoder,
  [TypeCode.EWKB]: ewkbEncoder,
  [TypeCode.RECORD]: recordEncoder,
  [TypeCode.RAW]: byteaEncoder,
}

/** The encoder of a family; undefined for those whose values go as text, or are made of parts. */
export function encoderOfFamily(family: number): TypeEncoder | undefined {
  return FAMILIES[family]
}
