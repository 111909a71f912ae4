// The network between oxpg and the tests' server: it can refuse, go silent, and break.
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { url } from './server.js'

/** The last message before a session may be used: ReadyForQuery, outside a transaction. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])

export class Link {
  /** That of the tests' server, by this way. */
  readonly url: string
  /** What it does with new connections: `silent` takes them and passes nothing on, `greeting` nothing but the startup. */
  mode: 'open' | 'silent' | 'greeting' = 'open'
  readonly #port: number
  #server: Server
  readonly #pairs = new Set<{ front: Socket; back: Socket | undefined }>()
  #silentComing: ((closed: Promise<void>) => void)[] = []

  private constructor(server: Server) {
    this.#server = server
    this.#port = (server.address() as { port: number }).port
    this.url = Object.assign(new URL(url), { hostname: '127.0.0.1', port: String(this.#port) }).href
  }

  static async open(t: { teardown(close: () => Promise<void>): void }): Promise<Link> {
    const link: Link = new Link(await listen(0, (front) => link.#pass(front)))
    t.teardown(() => link.cut())
    return link
  }

  /** The next connection that comes while it is silent: fulfilled with a promise of its end. */
  silentConnection(): Promise<{ closed: Promise<void> }> {
    return new Promise((resolve) => this.#silentComing.push((closed) => resolve({ closed })))
  }

  /** New connections are refused; those that are there stay. */
  async refuse(): Promise<void> {
    const server = this.#server
    await new Promise<void>((resolve) => {
      // It calls back when the last connection has ended; it listens no more at once.
      server.close()
      server.unref()
      setImmediate(resolve)
    })
  }

  /** Breaks all connections. */
  break(): void {
    for (const { front, back } of this.#pairs) {
      front.destroy()
      back?.destroy()
    }
    this.#pairs.clear()
  }

  /** Nothing is passed on any more, in either direction, and nothing ends. */
  freeze(): void {
    this.mode = 'silent'
    for (const pair of this.#pairs) {
      pair.front
        .removeAllListeners()
        .on('error', () => {})
        .resume()
      pair.back
        ?.removeAllListeners()
        .on('error', () => {})
        .resume()
    }
  }

  /** New connections are refused, and those that are there break. */
  async cut(): Promise<void> {
    await this.refuse()
    this.break()
  }

  /** Takes connections again. */
  async restore(): Promise<void> {
    this.#server = await listen(this.#port, (front) => this.#pass(front))
  }

  #pass(front: Socket): void {
    front.on('error', () => {})
    if (this.mode === 'silent') {
      const pair = { front, back: undefined }
      this.#pairs.add(pair)
      front.resume()
      const closed = new Promise<void>((resolve) => front.once('close', () => resolve()))
      for (const tell of this.#silentComing.splice(0)) tell(closed)
      return
    }
    const isGreeting = this.mode === 'greeting'
    const target = new URL(url)
    const back = createConnection(Number(target.port), target.hostname)
    const pair = { front, back }
    this.#pairs.add(pair)
    let isMute = false
    back.on('error', () => {})
    front.on('data', (bytes) => back.write(bytes))
    back.on('data', (bytes) => {
      if (!isMute) front.write(bytes)
      isMute ||= isGreeting && bytes.includes(READY)
    })
    const end = (): void => {
      this.#pairs.delete(pair)
      front.destroy()
      back.destroy()
    }
    front.on('close', end)
    back.on('close', end)
  }
}

function listen(port: number, take: (front: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(take).listen(port, '127.0.0.1', () => resolve(server))
    server.once('error', reject)
  })
}
