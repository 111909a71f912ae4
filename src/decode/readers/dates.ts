import { DataError } from '../../errors/index'
import type { CompleteResultMapping } from '../mapping'
import { beyondTemporal, temporalOf } from '../temporal'
import { type ColumnReader, calledReader } from './column-reader'
import { readText, textReader } from './text'

const LETTER_I = 105
const MINUS = 45

/** ±Infinity for `infinity` and `-infinity`; the text of a date starts with a digit. */
export function infinityOfText(text: string): number {
  const first = text.charCodeAt(0)
  if (first === LETTER_I) return Number.POSITIVE_INFINITY
  return first === MINUS ? Number.NEGATIVE_INFINITY : 0
}

/** Year (astronomical), month and day of a date as PostgreSQL prints it. */
export function dateFields(text: string): [year: number, month: number, day: number] {
  const isBc = text.endsWith(' BC')
  const end = isBc ? text.length - 3 : text.length
  const year = Number(text.substring(0, end - 6))
  return [
    isBc ? 1 - year : year,
    Number(text.substring(end - 5, end - 3)),
    Number(text.substring(end - 2, end)),
  ]
}

function utcMidnight(text: string): Date {
  const [year, month, day] = dateFields(text)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (Number.isNaN(date.getTime())) {
    throw new DataError(`the date ${text} is beyond the range of Date, which ends in the year 275760`, {
      hint: "Read the column with the mapping 'string'.",
    })
  }
  return date
}

function finiteReader(convert: (text: string) => unknown): ColumnReader {
  return calledReader((views, cell, context) => {
    const text = readText(views, cell, context)
    return infinityOfText(text) || convert(text)
  })
}

const stringReader = finiteReader((text) => text)

const dateReader = finiteReader(utcMidnight)

function plainDateReader(mapping: CompleteResultMapping): ColumnReader {
  const { PlainDate } = temporalOf(mapping)
  return finiteReader((text) => {
    try {
      return new PlainDate(...dateFields(text))
    } catch (cause) {
      throw beyondTemporal(`date ${text}`, 'PlainDate', cause)
    }
  })
}

/** date */
export function dateColumnReader(mapping: CompleteResultMapping): ColumnReader {
  switch (mapping.date) {
    case 'string':
      return stringReader
    case 'date':
      return dateReader
    case 'temporal':
      return plainDateReader(mapping)
  }
}

function plainTimeReader(mapping: CompleteResultMapping): ColumnReader {
  const { PlainTime } = temporalOf(mapping)
  return calledReader((views, cell, context) => {
    const text = readText(views, cell, context)
    const micros = Number(text.substring(9).padEnd(6, '0'))
    try {
      return new PlainTime(
        Number(text.substring(0, 2)),
        Number(text.substring(3, 5)),
        Number(text.substring(6, 8)),
        Math.floor(micros / 1000),
        micros % 1000,
      )
    } catch (cause) {
      throw beyondTemporal(`time ${text}`, 'PlainTime', cause)
    }
  })
}

/** time */
export function timeReader(mapping: CompleteResultMapping): ColumnReader {
  return mapping.time === 'string' ? textReader : plainTimeReader(mapping)
}
