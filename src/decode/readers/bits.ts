import { BitString } from '../../types/bit-string'
import type { CompleteResultMapping } from '../mapping'
import { type ColumnReader, calledReader } from './column-reader'
import { readText, textReader } from './text'

const bitStringReader = calledReader((views, cell, text) => new BitString(readText(views, cell, text)))

/** bit, varbit */
export function bitReader(mapping: CompleteResultMapping): ColumnReader {
  return mapping.bit === 'string' ? textReader : bitStringReader
}
