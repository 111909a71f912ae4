// Stands in for the native layer: keeps what is sent, and answers as a server would, transactions included.
import { Connection } from '../../src/connection'
import { DEFAULT_PLAN } from '../../src/decode/mapping'
import type { Failure } from '../../src/errors/index'
import {
  type ConnectionTarget,
  Occupancy,
  type PoolTarget,
  type RequestOptions,
  type ScriptOptions,
  type StatementOptions,
} from '../../src/native/door'
import { Pool } from '../../src/pool'
import { PoolListener } from '../../src/pool-listener'
import type { PoolHooks } from '../../src/pool-options'
import { CallDefaults } from '../../src/send'
import { Scope } from '../../src/transaction-scope'

/**
 * Here what opens a transaction is sent when it starts, as if a query came at once: so that the log shows where each starts. That it
 * waits for the first query is tested with real servers.
 */
const { opensBy } = Scope.prototype
Scope.prototype.opensBy = function (this: Scope, send: () => void): void {
  opensBy.call(this, send)
  this.root.sendOpenings()
}

const NO_HOOKS: PoolHooks = { init: undefined, setup: undefined, reset: undefined }

export interface Answer {
  rows?: unknown[]
  tag?: string
  failure?: Failure
}

/** The failure of a statement with this SQLSTATE, as Rust reports it. */
export function serverFailure(sqlstate: string, message = `failed with ${sqlstate}`): Failure {
  return {
    kind: 'server',
    message,
    sqlstate,
    fields: { severity: 'ERROR', message, sqlstate },
    safeToRetry: true,
  }
}

export class FakeRequest {
  readonly settled: Promise<void>
  isSettled = false
  failure: Failure | undefined
  rows: unknown[] = []
  rowCount = 0
  wasInTransaction = false
  transactionsEnded = 0
  description: unknown
  connection: unknown
  isHurried = false
  #tag = ''
  #resolve!: () => void

  constructor() {
    this.settled = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  tag(): string {
    return this.#tag
  }

  /** Its caller has given up waiting. */
  hurry(): void {
    this.isHurried = true
  }

  answer({ rows = [], tag = 'SELECT', failure }: Answer): void {
    if (this.isSettled) return
    this.isSettled = true
    this.rows = rows
    this.rowCount = rows.length
    this.#tag = tag
    this.failure ??= failure
    this.#resolve()
  }
}

class FakeBatch extends FakeRequest {
  readonly pushed: unknown[][] = []
  state: 'open' | 'ended' | 'aborted' = 'open'
  flushes = 0
  failAtFlush: Failure | undefined
  /** What a parser of the results throws at the next flush; the server goes on. */
  parserFailure: Failure | undefined

  push(row: unknown[]): number {
    this.pushed.push(row.slice())
    return JSON.stringify(row).length
  }

  async flushed(): Promise<void> {
    this.flushes++
    await null
    this.failure ??= this.parserFailure
    if (this.failAtFlush !== undefined) this.answer({ failure: this.failAtFlush })
  }

  end(): void {
    if (this.isSettled || this.state === 'aborted') return
    this.state = 'ended'
    this.answer({ rows: this.pushed, tag: 'INSERT 0 1' })
  }

  abort(): void {
    if (this.isSettled) return
    this.state = 'aborted'
    this.answer({ failure: { kind: 'canceled', message: 'taken back', safeToRetry: true } })
  }
}

/** One session. Statements are answered in order, each in a turn of the event loop. */
export class FakeConnection {
  readonly id = 1
  readonly backendPid = 4242
  readonly held: string[] = []
  readonly parameters = new Map([['server_version', '18.4']])
  readonly log: string[] = []
  readonly calls: { text: string; params: unknown; maxRows: number; timeoutMs: number; plan: any }[] = []
  readonly savepoints: string[] = []
  readonly batches: FakeBatch[] = []
  transactionStatus: 'I' | 'T' | 'E' = 'I'
  startupNotices: readonly Readonly<Record<string, string>>[] = []
  transactionsEnded = 0
  isClosed = false
  isReleased = false
  readonly occupancy = new Occupancy()
  closeFailure: Failure | undefined
  onNotice: ((fields: Record<string, string>) => void) | undefined
  onClosed: ((failure: Failure | undefined) => void) | undefined
  /** What a text is answered with; otherwise it succeeds without rows. */
  readonly answers = new Map<string, Answer | (() => Answer)>()
  #turn: Promise<unknown> = Promise.resolve()
  #stalled: Promise<void> | undefined
  #refused: Failure | undefined

  /** It is over with the test alone. */
  onceOver(): () => void {
    return () => {}
  }

  /** What has not been answered yet waits until the returned function is called, or is given up unsent. */
  stall(): () => void {
    let resume!: () => void
    this.#stalled = new Promise((resolve) => {
      resume = resolve
    })
    return () => {
      this.#stalled = undefined
      resume()
    }
  }

  query(text: string, params: unknown, { maxRows, timeoutMs, plan }: StatementOptions): FakeRequest {
    this.calls.push({ text, params, maxRows, timeoutMs, plan })
    return this.#run(text, timeoutMs)
  }

  script(text: string, { timeoutMs }: ScriptOptions): FakeRequest {
    this.calls.push({ text, params: undefined, maxRows: 0, timeoutMs, plan: undefined })
    return this.#run(text, timeoutMs)
  }

  /** What opens a transaction: where it fails, what is behind it fails with it. */
  open(text: string, _context: unknown, told: (opening: FakeRequest) => void): FakeRequest {
    const request = new FakeRequest()
    request.settled.then(() => told(request))
    this.#run(text, 0, request)
    request.settled.then(() => {
      this.#refused = undefined
    })
    return request
  }

  control(text: string, options: RequestOptions): FakeRequest {
    return this.script(text, options)
  }

  hold(text: string): { endWith(): void; letGo(): void } {
    this.held.push(text)
    return { endWith() {}, letGo: () => void this.held.splice(this.held.indexOf(text), 1) }
  }

  prepare(text: string): FakeRequest {
    const request = this.#run(`prepare ${text}`)
    request.description = {
      parameters: [{ typeOid: 23, typeName: 'int4', code: 3 }],
      columns: [
        {
          name: 'n',
          typeOid: 25,
          typeName: 'text',
          tableOid: 0,
          attributeNumber: 0,
          typeModifier: -1,
          code: 9,
        },
      ],
    }
    return request
  }

  startFed(_kind: unknown, text: string): FakeBatch {
    this.log.push(`batch ${text}`)
    const batch = new FakeBatch()
    this.batches.push(batch)
    return batch
  }

  close(): FakeRequest {
    const request = new FakeRequest()
    this.lose(undefined)
    request.answer({})
    return request
  }

  logBy(): void {}

  terminate(): void {
    this.log.push('terminate')
    this.lose(undefined)
  }

  reset(timeoutMs: number): FakeRequest {
    return this.#run('reset', timeoutMs)
  }

  release(): void {
    this.log.push('release')
    this.isReleased = true
    this.transactionStatus = 'I'
    this.savepoints.length = 0
  }

  lose(failure: Failure | undefined): void {
    if (this.isClosed) return
    this.isClosed = true
    this.closeFailure = failure
    this.onClosed?.(failure)
  }

  #run(text: string, timeoutMs = 0, request = new FakeRequest()): FakeRequest {
    const isOpening = 'sendOpening' in request
    const giveUp = () => {
      request.answer({ failure: { kind: 'timeout', message: 'not sent in time', safeToRetry: true } })
    }
    const timer = timeoutMs > 0 && this.#stalled !== undefined ? setTimeout(giveUp, timeoutMs) : undefined
    this.log.push(text)
    const before = this.#turn
    this.#turn = (async () => {
      await before
      await new Promise(setImmediate)
      await this.#stalled
      clearTimeout(timer)
      if (request.isSettled) return
      if (this.isClosed) {
        request.answer({
          failure: { kind: 'connection', message: 'lost', sqlstate: '08003', safeToRetry: false },
        })
      } else {
        request.wasInTransaction = this.transactionStatus !== 'I'
        if (this.#refused !== undefined) {
          request.answer({ failure: this.#refused })
          return
        }
        const answer = this.#answerTo(text)
        if (request.wasInTransaction && this.transactionStatus === 'I') this.transactionsEnded++
        request.transactionsEnded = this.transactionsEnded
        if (isOpening) this.#refused = answer.failure
        request.answer(answer)
      }
    })()
    return request
  }

  #answerTo(text: string): Answer {
    const given = this.answers.get(text)
    const answer = typeof given === 'function' ? given() : given
    if (answer?.failure !== undefined) {
      if (text === 'COMMIT') this.transactionStatus = 'I'
      else if (this.transactionStatus === 'T') this.transactionStatus = 'E'
      return answer
    }
    let tag = answer?.tag
    for (const command of text.split('; ')) tag = this.#control(command) ?? tag
    return { ...answer, ...(tag === undefined ? {} : { tag }) }
  }

  #control(command: string): string | undefined {
    const [word, second, third, fourth] = command.split(' ')
    switch (word) {
      case 'BEGIN':
        this.transactionStatus = 'T'
        return 'BEGIN'
      case 'COMMIT': {
        if (this.savepoints.length > 0) throw new Error('COMMIT while a savepoint is open')
        const tag = this.transactionStatus === 'E' ? 'ROLLBACK' : 'COMMIT'
        this.transactionStatus = 'I'
        return tag
      }
      case 'SAVEPOINT':
        this.savepoints.push(second!)
        return 'SAVEPOINT'
      case 'RELEASE':
        this.#pop(third!)
        return 'RELEASE'
      case 'reset':
      case 'ROLLBACK':
        if (second === undefined) {
          this.transactionStatus = 'I'
          this.savepoints.length = 0
        } else {
          this.transactionStatus = 'T'
          this.savepoints.length = this.savepoints.indexOf(fourth!) + 1
        }
        return 'ROLLBACK'
      default:
        return undefined
    }
  }

  #pop(name: string): void {
    if (this.savepoints.at(-1) !== name) throw new Error(`${name} is not the innermost savepoint`)
    this.savepoints.pop()
  }
}

/** A pool of one connection, which grants leases in order. */
export class FakePool {
  readonly id = 2 ** 31
  readonly session = new FakeConnection()
  readonly direct: string[] = []
  readonly timeouts: number[] = []
  maxSize = 1
  /** The time of whoever waits passes at once. */
  isFull = false
  #isLeased = false
  #waiting: (() => void)[] = []

  refusalOf(): undefined {}

  query(text: string): FakeRequest {
    this.direct.push(text)
    const request = new FakeRequest()
    request.answer({ rows: [[1]] })
    return request
  }

  acquire({ timeoutMs }: RequestOptions): FakeRequest {
    this.timeouts.push(timeoutMs)
    const request = new FakeRequest()
    const grant = (): void => {
      this.#isLeased = true
      const { session } = this
      const release = session.release.bind(session)
      session.release = () => {
        session.release = release
        release()
        this.#isLeased = false
        this.#waiting.shift()?.()
      }
      request.connection = session
      request.answer({})
    }
    if (!this.#isLeased) grant()
    else if (this.isFull || timeoutMs === 1_000) {
      setImmediate(() => request.answer({ failure: { kind: 'timeout', message: 'full', safeToRetry: true } }))
    } else this.#waiting.push(grant)
    return request
  }

  close(): FakeRequest {
    const request = new FakeRequest()
    request.answer({})
    return request
  }

  stats(): object {
    const inUse = this.#isLeased ? 1 : 0
    return {
      size: 1,
      idle: 1 - inUse,
      inUse,
      opening: 0,
      waiting: this.#waiting.length,
      maxSize: this.maxSize,
    }
  }
}

export function connectionOn(target: FakeConnection, commandTimeoutMs = 0): Connection {
  return Connection._of({
    target: target as unknown as ConnectionTarget,
    defaults: new CallDefaults(DEFAULT_PLAN, commandTimeoutMs),
  })
}

export function poolOn(
  target: FakePool,
  hooks: Partial<PoolHooks> = {},
  isAcquireTimeoutGiven = false,
): Pool {
  const defaults = new CallDefaults(DEFAULT_PLAN, 0)
  const open = async (): Promise<never> => {
    throw new Error('nobody listens')
  }
  return Pool._of({
    target: target as unknown as PoolTarget,
    defaults,
    listener: new PoolListener({ open, defaults, probeIntervalMs: 0 }),
    hooks: { ...NO_HOOKS, ...hooks },
    acquireTimeoutMs: 30_000,
    isAcquireTimeoutGiven,
    leakDetectionMs: 0,
    isAmbient: false,
  })
}
