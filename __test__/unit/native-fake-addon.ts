import { DEFAULT_PLAN } from '../../src/decode/mapping'
import type { ConnectionTarget } from '../../src/native/connection-target'
import { Environment } from '../../src/native/environment'
import type { Addon, NativeFunctions } from '../../src/native/load'
import { openConnectionIn } from '../../src/native/openings'
import type { StatementOptions } from '../../src/native/request-options'
import { FINGERPRINT, Form, HEADER_WORDS, RECORD_WORDS } from '../../src/types/boundary'

/** A command as Rust would read it out of the outbox. */
export interface SentCommand {
  opcode: number
  slot: number
  target: number
  query: number
  /** Words 4 to 7. */
  words: number[]
  flags: number
  form: number
  cells: SentCell[]
}

/** A parameter cell: its payload as words, double and 64-bit integer, and the text or bytes that it refers to. */
export interface SentCell {
  tag: number
  aux: number
  word: number
  secondWord: number
  double: number
  long: bigint
  content: string | Uint8Array | undefined
}

/** The other side of the boundary: reads commands at each flush, and plays records back. */
export class FakeAddon implements Addon {
  /** One list a flush. */
  readonly flushes: SentCommand[][] = []
  readonly defined: { text: string; isCacheable: boolean }[] = []
  readonly forgotten: number[] = []
  readonly opened: unknown[][] = []
  readonly outboxes: { commands: Uint8Array; bytes: Buffer }[] = []
  /** Calls of the remaining functions, as `name id`. */
  readonly calls: string[] = []
  stats: object | undefined = undefined
  fingerprint: number | undefined = FINGERPRINT
  cells = new Float64Array()
  marks = new Uint8Array()
  bytes = Buffer.alloc(0)
  records = new Int32Array()
  /** Lets the environment go, as Rust does when nothing uses it any more. */
  letGo: () => void = () => {}
  private isGone = false
  private receive: (recordCount: number, extras: unknown[] | undefined) => void = () => {}

  /** All commands so far. */
  get sent(): SentCommand[] {
    return this.flushes.flat()
  }

  /** The latest command. */
  get last(): SentCommand {
    return this.sent.at(-1)!
  }

  /** Delivers records; words that are not given are −1 in 2 to 5 and 0 behind, as Rust writes them. */
  play(records: readonly (readonly number[])[], extras?: unknown[]): void {
    records.forEach((record, index) => {
      this.records.set([0, 0, -1, -1, -1, -1, 0, 0], index * RECORD_WORDS)
      this.records.set(record, index * RECORD_WORDS)
    })
    this.receive(records.length, extras)
  }

  boundaryFingerprint(): number {
    return this.fingerprint as number
  }

  attach(
    cells: Float64Array,
    marks: Uint8Array,
    bytes: Buffer,
    records: Int32Array,
    deliver: (recordCount: number, extras: unknown[] | undefined) => void,
    letGo: () => void = () => {},
  ): NativeFunctions {
    Object.assign(this, { cells, marks, bytes, records })
    this.receive = deliver
    this.letGo = () => {
      this.isGone = true
      letGo()
    }
    const note = (name: string) => (id: number) => {
      this.calls.push(`${name} ${id}`)
    }
    return {
      flush: (commandBytes, extras) => {
        if (this.isGone) return { kind: 'interface', message: 'the pool is closed', safeToRetry: true }
        this.flushes.push(this.readCommands(commandBytes, extras))
        return undefined
      },
      setOutbox: (commands, heap) => {
        this.outboxes.push({ commands, bytes: heap })
      },
      open: (...given) => {
        this.opened.push(given)
      },
      openPool: (...given) => {
        this.opened.push(given)
        return 0x8010_0000
      },
      defineQuery: (text, isCacheable) => this.defined.push({ text, isCacheable }),
      forgetQuery: (id) => {
        this.forgotten.push(id)
      },
      holdQuery: (id, isHeld) => void this.calls.push(`holdQuery ${id} ${isHeld}`),
      answerCredentials: (...given) => void this.calls.push(`answerCredentials ${given.join(' ')}`),
      refuseCredentials: (...given) => void this.calls.push(`refuseCredentials ${given.join(' ')}`),
      connectTimeoutOf: () => 0,
      areDefaultRootsMissing: () => false,
      setDefaultRoots: () => {},
      explainConfig: () => '{}',
      poolStats: () => this.stats as never,
      sharingOf: () => 1,
      refusalThroughPool: () => undefined,
      expirePool: note('expirePool'),
      familyOf: (typeName) => (typeName === 'int4' ? 3 : 0),
      chooseCodec: (...given) => {
        this.calls.push(`chooseCodec ${given.join(' ')}`)
      },
      reloadTypes: note('reloadTypes'),
      forkTypes: note('forkTypes'),
      joinTypes: note('joinTypes'),
      reference: note('reference'),
      unreference: note('unreference'),
      sayGoodbye: () => {
        this.calls.push('sayGoodbye')
      },
    }
  }

  private readCommands(commandBytes: number, extras: (string | Uint8Array)[] | undefined): SentCommand[] {
    const { commands, bytes } = this.outboxes.at(-1)!
    const view = new DataView(commands.buffer, commands.byteOffset, commandBytes)
    const sent: SentCommand[] = []
    for (let at = 0; at < commandBytes; ) {
      const word = (index: number) => view.getUint32(at + index * 4, true)
      const length = (word(0) >>> 8) * 8
      const cells: SentCell[] = []
      for (let cell = at + HEADER_WORDS * 4; cell < at + length; cell += 16) {
        cells.push(readCell(view, cell, bytes, extras))
      }
      const words = [word(4), word(5), word(6), word(7)]
      const [slot, target, query, flags, form] = [word(1), word(2), word(3), word(8), word(9)]
      sent.push({ opcode: word(0) & 0xff, slot, target, query, words, flags, form, cells })
      at += length
    }
    return sent
  }
}

function readCell(
  view: DataView,
  at: number,
  bytes: Buffer,
  extras: (string | Uint8Array)[] | undefined,
): SentCell {
  const tag = view.getInt32(at, true)
  const word = view.getUint32(at + 8, true)
  const secondWord = view.getUint32(at + 12, true)
  let content: string | Uint8Array | undefined
  if (tag === 5) content = bytes.toString('utf8', word, word + secondWord)
  if (tag === 6) content = Uint8Array.from(bytes.subarray(word, word + secondWord))
  if (tag === 8) content = extras![word]
  if (tag === 9) content = Uint8Array.from(extras![word] as Uint8Array)
  return {
    tag,
    aux: view.getInt32(at + 4, true),
    word,
    secondWord,
    double: view.getFloat64(at + 8, true),
    long: view.getBigInt64(at + 8, true),
    content,
  }
}

/** Options of a statement; what is left out asks for all rows, without a time limit. */
export function statement(options: Partial<StatementOptions> = {}): StatementOptions {
  return {
    timeoutMs: 0,
    signal: undefined,
    plan: DEFAULT_PLAN,
    form: Form.ROWS,
    maxRows: 0,
    maxResultBytes: 0,
    ...options,
  }
}

/** Lets the microtasks of this tick run, the flush among them. */
export function tickEnd(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Type codes and OIDs of a few types, as descriptions have them. */
export const INT4 = { typeOid: 23, typeName: 'int4', code: 3 }
export const INT8 = { typeOid: 20, typeName: 'int8', code: 4 }
export const TEXT = { typeOid: 25, typeName: 'text', code: 9 }
export const BYTEA = { typeOid: 17, typeName: 'bytea', code: 11 }
export const JSONB = { typeOid: 3802, typeName: 'jsonb', code: 13 }
export const INT4_ARRAY = { typeOid: 1007, typeName: 'int4[]', code: 0x83 }

type Type = typeof INT4

/** A description object as Rust makes it. */
export function describe(id: number, parameters: Type[], columns: Record<string, Type> = {}): object {
  return {
    id,
    parameters,
    columns: Object.entries(columns).map(([name, type]) => ({
      name,
      ...type,
      tableOid: 0,
      attributeNumber: 0,
      typeModifier: -1,
    })),
  }
}

/** An environment on a fake addon, with one open connection whose id is 7. */
export async function connected(): Promise<{
  addon: FakeAddon
  environment: Environment
  connection: ConnectionTarget
}> {
  const addon = new FakeAddon()
  const environment = new Environment(addon)
  const request = openConnectionIn(environment, '{}', undefined)
  const facts = { backendPid: 4711, parameters: [['TimeZone', 'UTC']], transactionStatus: 'I', notices: [] }
  addon.play([[5, request.slot, 7, 0]], [facts])
  await request.settled
  return { addon, environment, connection: request.connection! }
}
