import { PARAMETER_MODES, ParameterMode } from '../types/parameter-mode'
import { elementCode, isArrayCode, TypeCode } from '../types/type-code'
import { codecOf } from '../types/type-codec'
import type { TypeNode } from '../types/type-node'
import { arrayEncoder } from './arrays'
import { compositeEncoder } from './composite'
import { codecEncoder } from './custom-codec'
import { localTimestampEncoder } from './date-time'
import { encoderOfFamily } from './families'
import { jsonPartEncoder } from './json'
import { multirangeEncoder, rangeEncoder } from './ranges'
import { qualifiedName } from './type-name'
import { unknownEncoder } from './unknown'
import type { TypeEncoder } from './value-encoder'

/** By mode. A type may be part of many others, and of itself never: PostgreSQL refuses that. */
const encoders = Array.from({ length: PARAMETER_MODES }, () => new WeakMap<TypeNode, TypeEncoder>())

/** The encoder of a type that the catalog describes; `mode` has the bits of {@link ParameterMode}. */
export function encoderOfType(type: TypeNode, mode = 0): TypeEncoder {
  const known = encoders[mode]!
  let encoder = known.get(type)
  if (encoder === undefined) {
    encoder = makeEncoder(type, mode)
    known.set(type, encoder)
  }
  return encoder
}

/** The encoder of a type of which only the code is known. */
export function encoderOfCode(code: number, typeName: string, mode = 0): TypeEncoder {
  const family = elementCode(code)
  const isArray = isArrayCode(code)
  const encoder = (isArray ? partFamily(family, mode) : undefined) ?? familyOf(family, mode)
  if (encoder === undefined) return unknownEncoder(typeName)
  return isArray ? arrayEncoder(encoder) : encoder
}

/** A family's encoder. */
function familyOf(family: number, mode: number): TypeEncoder | undefined {
  const isLocal = family === TypeCode.TIMESTAMP && (mode & ParameterMode.LOCAL_TIMESTAMPS) !== 0
  return isLocal ? localTimestampEncoder : encoderOfFamily(family)
}

/** The encoder of families whose values are written otherwise where they are parts of another. */
function partFamily(family: number, mode: number): TypeEncoder | undefined {
  const isJson = family === TypeCode.JSON || family === TypeCode.JSONB
  return isJson && (mode & ParameterMode.JSON_TEXT) === 0 ? jsonPartEncoder : undefined
}

/** The encoder of a type whose values are parts of another's. */
function encoderOfPart(type: TypeNode, mode: number): TypeEncoder {
  const own =
    type.kind === 'scalar' && codecOf(type.codec) === undefined ? partFamily(type.code, mode) : undefined
  return own ?? encoderOfType(type, mode)
}

function makeEncoder(type: TypeNode, mode: number): TypeEncoder {
  const plain = makePlainEncoder(type, mode)
  // A codec that is forgotten meanwhile: the type's own text or bytes are what is left.
  const codec = type.codec === 0 ? undefined : codecOf(type.codec)
  return codec === undefined ? plain : codecEncoder(codec, type, plain)
}

function makePlainEncoder(type: TypeNode, mode: number): TypeEncoder {
  switch (type.kind) {
    case 'scalar':
      return encoderOfCode(type.code, type.name, mode)
    case 'array':
      return arrayEncoder(encoderOfPart(type.element, mode), qualifiedName(type.element))
    case 'composite':
      return compositeEncoder(type, (part) => encoderOfPart(part, mode))
    case 'range':
      return rangeEncoder(encoderOfPart(type.subtype, mode), qualifiedName(type.subtype))
    case 'multirange':
      return multirangeEncoder(encoderOfType(type.range, mode), qualifiedName(type.range))
  }
}
