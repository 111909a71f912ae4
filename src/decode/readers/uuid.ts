import type { CompleteResultMapping } from '../mapping'
import { type ColumnReader, calledReader } from './column-reader'
import { readText, textReader } from './text'

const bufferReader = calledReader((views, cell, text) =>
  Buffer.from(readText(views, cell, text).replaceAll('-', ''), 'hex'),
)

/** uuid */
export function uuidReader(mapping: CompleteResultMapping): ColumnReader {
  return mapping.uuid === 'string' ? textReader : bufferReader
}
