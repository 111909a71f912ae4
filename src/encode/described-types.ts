import { elementCode, isArrayCode } from '../types/type-code'
import { codecOf } from '../types/type-codec'
import type { TypeNode } from '../types/type-node'
import { arrayEncoder } from './arrays'
import { compositeEncoder } from './composite'
import { codecEncoder } from './custom-codec'
import { encoderOfFamily } from './families'
import { multirangeEncoder, rangeEncoder } from './ranges'
import { qualifiedName } from './type-name'
import { unknownEncoder } from './unknown'
import type { TypeEncoder } from './value-encoder'

/** A type may be part of many others, and of itself never: PostgreSQL refuses that. */
const encoders = new WeakMap<TypeNode, TypeEncoder>()

/** The encoder of a type that the catalog describes. */
export function encoderOfType(type: TypeNode): TypeEncoder {
  let encoder = encoders.get(type)
  if (encoder === undefined) {
    encoder = makeEncoder(type)
    encoders.set(type, encoder)
  }
  return encoder
}

/** The encoder of a type of which only the code is known. */
export function encoderOfCode(code: number, typeName: string): TypeEncoder {
  const family = encoderOfFamily(elementCode(code))
  if (family === undefined) return unknownEncoder(typeName)
  return isArrayCode(code) ? arrayEncoder(family) : family
}

function makeEncoder(type: TypeNode): TypeEncoder {
  const plain = makePlainEncoder(type)
  // A codec that is forgotten meanwhile: the type's own text or bytes are what is left.
  const codec = type.codec === 0 ? undefined : codecOf(type.codec)
  return codec === undefined ? plain : codecEncoder(codec, type, plain)
}

function makePlainEncoder(type: TypeNode): TypeEncoder {
  switch (type.kind) {
    case 'scalar':
      return encoderOfCode(type.code, type.name)
    case 'array':
      return arrayEncoder(encoderOfType(type.element), qualifiedName(type.element))
    case 'composite':
      return compositeEncoder(type, encoderOfType)
    case 'range':
      return rangeEncoder(encoderOfType(type.subtype), qualifiedName(type.subtype))
    case 'multirange':
      return multirangeEncoder(encoderOfType(type.range), qualifiedName(type.range))
  }
}
