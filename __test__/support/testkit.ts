// The testkit's program (crates/testkit), typed: a network that breaks on purpose, servers that follow a script, poolers.
// It runs in a process of its own, so that it goes on while this thread's loop is busy, and ends with this process.
import { type ChildProcess, spawn } from 'node:child_process'
import { lookup } from 'node:dns/promises'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { url } from './server.js'
import type { Effect, Plan, ProxyCounts, ProxyEvent, ServerEvent, Step } from './testkit-scripts.js'

export type * from './testkit-scripts.js'

/** `npm test` builds it and says where it is; by hand: `cargo build -p oxpg-testkit`. */
const PROGRAM = process.env.OXPG_TESTKIT ?? join(process.cwd(), 'target', 'debug', 'oxpg-testkit')

/** The part of ava's context that closes things when the test is over. */
interface Teardown {
  teardown(close: () => Promise<void>): void
}

interface Answer {
  resolve(result: never): void
  reject(error: Error): void
}

/** The running program. */
class Program {
  readonly #child: ChildProcess
  readonly #answers = new Map<number, Answer>()
  readonly #events = new Map<string, (event: never) => void>()
  #calls = 0
  #held = 0
  /** Why it is no more. */
  #failure: Error | undefined

  constructor() {
    const child = spawn(PROGRAM, [], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    const fail = (error: Error): void => {
      this.#failure = error
      for (const { reject } of this.#answers.values()) reject(error)
      this.#answers.clear()
    }
    child.once('error', (cause) =>
      fail(new Error(`cannot run ${PROGRAM}: build it with \`cargo build -p oxpg-testkit\``, { cause })),
    )
    child.once('exit', (code, signal) => fail(new Error(`the testkit ended with ${signal ?? code}`)))
    child.stdin!.on('error', fail)
    createInterface(child.stdout!).on('line', (line) => this.#take(JSON.parse(line)))
    this.#refer('unref')
  }

  /** Keeps this process alive while something is awaited from it. */
  async hold<T>(awaited: Promise<T>): Promise<T> {
    this.#held += 1
    if (this.#held === 1) this.#refer('ref')
    try {
      return await awaited
    } finally {
      this.#held -= 1
      if (this.#held === 0) this.#refer('unref')
    }
  }

  #refer(change: 'ref' | 'unref'): void {
    this.#child[change]()
    // Pipes of child processes are sockets.
    for (const pipe of [this.#child.stdin, this.#child.stdout]) (pipe as Socket)[change]()
  }

  #take(line: { id?: number; result?: never; error?: string } & Record<string, unknown>): void {
    if (line.id === undefined) {
      const from = ['proxy', 'server'].find((name) => name in line)
      this.#events.get(`${from} ${line[from ?? '']}`)?.(line as never)
      return
    }
    const answer = this.#answers.get(line.id)
    this.#answers.delete(line.id)
    if (typeof line.error === 'string') answer?.reject(new Error(line.error))
    else answer?.resolve(line.result as never)
  }

  call<T>(call: string, options: object = {}): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    this.#calls += 1
    const id = this.#calls
    const answer = new Promise<T>((resolve, reject) => this.#answers.set(id, { resolve, reject }))
    this.#child.stdin!.write(`${JSON.stringify({ id, call, ...options })}\n`)
    return this.hold(answer)
  }

  /** Events of something with a number. Those that come before this are lost: nothing happens before it is used. */
  listen(what: string, take: (event: never) => void): void {
    this.#events.set(what, take)
  }

  forget(what: string): void {
    this.#events.delete(what)
  }
}

let program: Program | undefined
const running = (): Program => {
  program ??= new Program()
  return program
}

/** A URL's server, with a name looked up: the testkit takes addresses. */
async function addressOf(target: string): Promise<string> {
  const { hostname, port } = new URL(target)
  const { address, family } = await lookup(hostname)
  return `${family === 6 ? `[${address}]` : address}:${port}`
}

const through = (port: number, target: string): string =>
  Object.assign(new URL(target), { hostname: '127.0.0.1', port: `${port}` }).href

/** Events that are waited for by what they say. */
class Events<E extends object> {
  readonly all: E[] = []
  /** When each of them was heard of, as `performance.now()` has it. */
  readonly times: number[] = []
  readonly #emitter = new EventEmitter().setMaxListeners(0)

  take(event: E): void {
    this.all.push(event)
    this.times.push(performance.now())
    this.#emitter.emit('event')
  }

  /** The first, from `from` on, that says all of this. */
  async next(wanted: Partial<E>, from = 0): Promise<E> {
    const says = (event: E): boolean =>
      Object.entries(wanted).every(([name, value]) => event[name as keyof E] === value)
    for (;;) {
      const found = this.all.slice(from).find(says)
      if (found !== undefined) return found
      await running().hold(once(this.#emitter, 'event'))
    }
  }
}

/** A network between a client and a server. */
export class FaultProxy {
  /** That of its target, through it. */
  readonly url: string
  readonly port: number
  readonly #number: number
  readonly #events = new Events<ProxyEvent>()

  private constructor(number: number, port: number, target: string) {
    this.#number = number
    this.port = port
    this.url = through(port, target)
    running().listen(`proxy ${number}`, (event) => this.#events.take(event))
  }

  /** Starts one in front of a server, the tests' where no other is named. */
  static async open(plan: Plan = {}, target: string = url): Promise<FaultProxy> {
    const options = { target: await addressOf(target), plan }
    const { proxy, port } = await running().call<{ proxy: number; port: number }>('openProxy', options)
    return new FaultProxy(proxy, port, target)
  }

  /** One that closes with the test. */
  static async for(t: Teardown, plan: Plan = {}, target: string = url): Promise<FaultProxy> {
    const proxy = await FaultProxy.open(plan, target)
    t.teardown(() => proxy.close())
    return proxy
  }

  /** What has happened so far. */
  get events(): readonly ProxyEvent[] {
    return this.#events.all
  }

  /** When each connection came, as `performance.now()` has it. */
  get arrivals(): readonly number[] {
    const { all, times } = this.#events
    return times.filter((_, index) => all[index]!.event === 'connected')
  }

  /** The first event, of those that have happened and those to come, that says all of this. */
  event<K extends ProxyEvent['event']>(
    wanted: { event: K } & Partial<Extract<ProxyEvent, { event: K }>>,
    from = 0,
  ): Promise<Extract<ProxyEvent, { event: K }>> {
    return this.#events.next(wanted as Partial<ProxyEvent>, from) as Promise<
      Extract<ProxyEvent, { event: K }>
    >
  }

  /** What becomes of connections to come: of the next so many, or of all. */
  plan(plan: Plan, connections?: number): Promise<void> {
    return this.#call('setPlan', { plan, connections })
  }

  /** Something happens to all connections that are there. */
  change(effect: Exclude<Effect, 'hold'>): Promise<void> {
    return this.#call('change', { effect })
  }

  /** What is held goes on. */
  release(): Promise<void> {
    return this.#call('release')
  }

  /** New connections are refused; those that are there stay. */
  refuse(): Promise<void> {
    return this.#call('refuse')
  }

  /** Takes connections again, at the same port. */
  listen(): Promise<void> {
    return this.#call('listen')
  }

  counts(): Promise<ProxyCounts> {
    return this.#call('counts')
  }

  async close(): Promise<void> {
    await this.#call('closeProxy')
    running().forget(`proxy ${this.#number}`)
  }

  #call<T>(call: string, options: object = {}): Promise<T> {
    return running().call(call, { proxy: this.#number, ...options })
  }
}

/** A server that plays the first script on its first connection, the next on the next, and the last on all others. */
export class ScriptedServer {
  readonly port: number
  /** `postgres://u:p@…/d`, without encryption. */
  readonly url: string
  readonly #number: number
  readonly #events = new Events<ServerEvent>()

  private constructor(number: number, port: number) {
    this.#number = number
    this.port = port
    this.url = `postgres://u:p@127.0.0.1:${port}/d?sslmode=disable`
    running().listen(`server ${number}`, (event) => this.#events.take(event))
  }

  static async open(...scripts: Step[][]): Promise<ScriptedServer> {
    const { server, port } = await running().call<{ server: number; port: number }>('openServer', { scripts })
    return new ScriptedServer(server, port)
  }

  /** One that closes with the test. */
  static async for(t: Teardown, ...scripts: Step[][]): Promise<ScriptedServer> {
    const server = await ScriptedServer.open(...scripts)
    t.teardown(() => server.close())
    return server
  }

  get events(): readonly ServerEvent[] {
    return this.#events.all
  }

  /** The first event that says all of this. */
  event<K extends ServerEvent['event']>(
    wanted: { event: K } & Partial<Extract<ServerEvent, { event: K }>>,
  ): Promise<Extract<ServerEvent, { event: K }>> {
    return this.#events.next(wanted as Partial<ServerEvent>) as Promise<Extract<ServerEvent, { event: K }>>
  }

  /** Scripts that hold go on. */
  goOn(): Promise<void> {
    return running().call('goOn', { server: this.#number })
  }

  async close(): Promise<void> {
    await running().call('closeServer', { server: this.#number })
    running().forget(`server ${this.#number}`)
  }
}

export interface PoolerOptions {
  /** In statement mode it ends the connection of a client that begins a transaction. Default `'transaction'`. */
  readonly mode?: 'transaction' | 'statement'
  /** What each server is sent after each transaction, as PgBouncer's `server_reset_query_always` does. */
  readonly resetQuery?: string
}

/**
 * A stand-in for a pooler at its most inconvenient: it takes the server away from its client after every
 * transaction, and gives it to whoever has waited longest. Like PgBouncer's before 1.21, its clients' prepared statements
 * stay behind with the server. It asks for no password. Cancel requests go to the server that the client has at that
 * moment.
 */
export class Pooler {
  readonly url: string
  readonly #number: number

  private constructor(number: number, port: number) {
    this.#number = number
    this.url = through(port, url)
  }

  /** Opens `size` sessions of the tests' server. */
  static async open(size: number, options: PoolerOptions = {}): Promise<Pooler> {
    const { username, password, pathname } = new URL(url)
    const login = {
      address: await addressOf(url),
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      database: decodeURIComponent(pathname.slice(1)),
    }
    const { pooler, port } = await running().call<{ pooler: number; port: number }>('openPooler', {
      login,
      size,
      ...options,
    })
    return new Pooler(pooler, port)
  }

  /** One that closes with the test. */
  static async for(t: Teardown, size: number, options: PoolerOptions = {}): Promise<Pooler> {
    const pooler = await Pooler.open(size, options)
    t.teardown(() => pooler.close())
    return pooler
  }

  /** How often a client was given another server than the last time. */
  async changes(): Promise<number> {
    return (await this.#counts()).changes
  }

  /** How many cancel requests have reached a server. */
  async cancels(): Promise<number> {
    return (await this.#counts()).cancels
  }

  #counts(): Promise<{ changes: number; cancels: number }> {
    return running().call('poolerCounts', { pooler: this.#number })
  }

  close(): Promise<void> {
    return running().call('closePooler', { pooler: this.#number })
  }
}

/** A port that neither takes nor refuses connections, as that of a host that is switched off. */
export async function openDeaf(): Promise<{ port: number; close: () => Promise<void> }> {
  const { deaf, port } = await running().call<{ deaf: number; port: number }>('openDeaf')
  return { port, close: () => running().call('closeDeaf', { deaf }) }
}

/** A file that a fault makes, which a thread can wait for while its loop stands still. */
export class Signal {
  readonly path: string

  constructor(t: Teardown) {
    const folder = mkdtempSync(join(tmpdir(), 'oxpg-signal-'))
    this.path = join(folder, 'signal')
    t.teardown(async () => rmSync(folder, { recursive: true, force: true }))
  }

  /** Keeps this thread's loop from turning until it has come. */
  standStillUntil(): void {
    const cell = new Int32Array(new SharedArrayBuffer(4))
    for (let rest = 60_000; statSync(this.path, { throwIfNoEntry: false }) === undefined; rest -= 1) {
      if (rest === 0) throw new Error('the signal did not come')
      Atomics.wait(cell, 0, 0, 1)
    }
  }
}
