// What a server must not send: lengths and counts that cannot be, by their messages.
import type { Part, Step } from '../../support/testkit.js'

/** Tags of all messages of a server, and one that is none. */
const TAGS = [...'RSKZNEAvTtDCI123nsGHWdc?']
const LENGTHS = [-(2 ** 31), -1, 0, 3, 2 ** 31 - 1]

export interface Lie {
  name: string
  parts: Part[]
  /** Where it is told; everywhere where nothing is said. */
  phase?: Phase
}

/** Where in a session a lie is told. */
export type Phase = 'startup' | 'authenticated' | 'answer' | 'rows' | 'idle' | 'values'
export const PHASES: readonly Phase[] = ['startup', 'authenticated', 'answer', 'rows', 'idle']

/** Texts and bytes behind each other, as scripts have them. */
export const base64 = (...parts: (string | number[])[]): string =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string))).toString('base64')
const message = (tag: string, ...parts: (string | number[])[]): Part => ({
  message: { tag, body: base64(...parts) },
})
const int16 = (value: number): number[] => [(value >> 8) & 255, value & 255]
const int32 = (value: number): number[] => [...int16(value >> 16), ...int16(value & 0xffff)]

const lengths: Lie[] = TAGS.flatMap((tag) =>
  LENGTHS.map(
    (length): Lie => ({ name: `${tag} of ${length} bytes`, parts: [{ message: { tag, length } }] }),
  ),
)

const parsed: Part = { message: { tag: '1' } }
const described: Part = { parameterDescription: [] }
const column = (...rest: (string | number[])[]): (string | number[])[] => [
  'v\0',
  [0, 0, 0, 0, 0, 0],
  int32(25),
  int16(-1),
  int32(-1),
  int16(0),
  ...rest,
]

/** Counts that are larger than what follows, and texts without their end. */
const counts: Lie[] = [
  ...[-1, 2, 32_767].flatMap((count): Lie[] => [
    { name: `T of ${count} columns`, parts: [message('T', int16(count), ...column())], phase: 'rows' },
    {
      name: `T of ${count} columns`,
      parts: [parsed, described, message('T', int16(count), ...column())],
      phase: 'answer',
    },
    { name: `t of ${count} types`, parts: [parsed, message('t', int16(count), int32(23))], phase: 'answer' },
    {
      name: `D of ${count} values`,
      parts: [message('D', int16(count), int32(1), 'x')],
      phase: 'rows',
    },
    { name: `G of ${count} columns`, parts: [message('G', [0], int16(count))], phase: 'rows' },
    { name: `H of ${count} columns`, parts: [message('H', [0], int16(count))], phase: 'rows' },
  ]),
  ...[-2, 2, 2 ** 31 - 1].map(
    (length): Lie => ({
      name: `D with a value of ${length} bytes`,
      parts: [message('D', int16(1), int32(length), 'x')],
      phase: 'rows',
    }),
  ),
  ...[-1, 1, 2 ** 31 - 1].map(
    (count): Lie => ({
      name: `v of ${count} options`,
      parts: [message('v', int32(0x30000), int32(count))],
      phase: 'startup',
    }),
  ),
  { name: 'K of 3 bytes', parts: [message('K', [1, 2, 3])], phase: 'authenticated' },
  { name: 'K of 300 bytes', parts: [message('K', int32(1), 'k'.repeat(300))], phase: 'authenticated' },
  { name: 'SASL without an end', parts: [message('R', int32(10), 'SCRAM-SHA-256')], phase: 'startup' },
  { name: 'MD5 without a salt', parts: [message('R', int32(5), [1, 2])], phase: 'startup' },
  ...(['authenticated', 'answer', 'idle'] as const).flatMap((phase): Lie[] => [
    { name: 'E without an end', parts: [message('E', 'SERROR')], phase },
    { name: 'N without an end', parts: [message('N', 'SNOTICE')], phase },
    { name: 'S without an end', parts: [message('S', 'name')], phase },
    { name: 'A without an end', parts: [message('A', int32(1), 'channel')], phase },
  ]),
  { name: 'C without an end', parts: [message('C', 'SELECT 1')], phase: 'rows' },
]

/** Values in the binary format that say to be more than they are, by their types. */
const VALUES: [name: string, oid: number, value: (string | number[])[]][] = [
  ['int4[] of 2³¹−1 dimensions', 1007, [int32(2 ** 31 - 1), int32(0), int32(23)]],
  ['int4[] of −1 dimensions', 1007, [int32(-1), int32(0), int32(23)]],
  ['int4[] of 2³¹−1 elements', 1007, [int32(1), int32(0), int32(23), int32(2 ** 31 - 1), int32(1)]],
  [
    'int4[] of 6 dimensions of 2³¹−1 each',
    1007,
    [int32(6), int32(0), int32(23), ...Array.from({ length: 6 }, () => [...int32(2 ** 31 - 1), ...int32(1)])],
  ],
  ['text[] of nulls without bytes', 1009, [int32(1), int32(1), int32(25), int32(2 ** 28), int32(1)]],
  [
    'text[] with an element of 2³¹−1 bytes',
    1009,
    [int32(1), int32(0), int32(25), int32(1), int32(1), int32(2 ** 31 - 1)],
  ],
  ['numeric of 65 535 digits', 1700, [int16(-1), int16(0), int16(0), int16(0)]],
  ['uuid of 3 bytes', 2950, [[1, 2, 3]]],
  ['int4 of 3 bytes', 23, [[1, 2, 3]]],
  ['timestamptz of 3 bytes', 1184, [[1, 2, 3]]],
  ['interval of 3 bytes', 1186, [[1, 2, 3]]],
  ['varbit of 2³¹−1 bits', 1562, [int32(2 ** 31 - 1), [1]]],
  ['path of 2³¹−1 points', 602, [[1], int32(2 ** 31 - 1)]],
  ['polygon of 2³¹−1 points', 604, [int32(2 ** 31 - 1)]],
  ['inet of 255 bytes', 869, [[2, 32, 0, 255, 1]]],
  ['int4range with a bound of 2³¹−1 bytes', 3904, [[2], int32(2 ** 31 - 1)]],
  ['int4multirange of 2³¹−1 ranges', 4451, [int32(2 ** 31 - 1)]],
]

const values: Lie[] = VALUES.map(([name, oid, value]) => {
  const body = Buffer.concat(value.map((part) => Buffer.from(part as string)))
  return {
    name,
    phase: 'values',
    parts: [{ rowDescription: [{ name: 'v', oid }] }, message('D', int16(1), int32(body.length), [...body])],
  }
})

export const LIES: readonly Lie[] = [...lengths, ...counts, ...values]

/** What a server does up to and with a lie; it has said hello before. */
export function scriptOf({ parts }: Lie, phase: Phase): Step[] {
  const tell: Step[] = [{ send: parts }, 'drain']
  const expect = (...tags: string[]): Step[] => tags.map((tag) => ({ expect: { tag } }))
  switch (phase) {
    case 'startup':
      return tell
    case 'authenticated':
      return [{ send: [{ authentication: { code: 0 } }] }, ...tell]
    case 'answer':
      return [{ send: ['welcome'] }, { expect: 'any' }, ...tell]
    case 'rows': {
      const start: Part[] = [{ rowDescription: [{ name: 'v', oid: 25 }] }, { dataRow: ['honest'] }]
      return [{ send: ['welcome'] }, ...expect('Q'), { send: start }, ...tell]
    }
    case 'idle':
      return [{ send: ['welcome'] }, 'hold', ...tell]
    case 'values': {
      const [description, row] = parts
      // Of the format that was asked for, the binary one.
      return [
        { send: ['welcome'] },
        ...expect('P', 'D', 'S'),
        { send: [parsed, described, description!, { ready: 'I' }] },
        ...expect('B', 'E', 'S'),
        { send: [{ message: { tag: '2' } }, row!, { complete: 'SELECT 1' }, { ready: 'I' }] },
        'drain',
      ]
    }
  }
}
