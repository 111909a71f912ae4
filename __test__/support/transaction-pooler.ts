// A stand-in for a transaction pooler at its most inconvenient: it takes the server away from its client after every
// ReadyForQuery outside a transaction, and gives it back to whoever has waited longest. Like PgBouncer's before 1.21, its
// clients' prepared statements stay behind with the server.
import { createServer, type Server, type Socket } from 'node:net'
import pg from 'pg'
import { url } from './server.js'

/** A server's connection: an authenticated socket, taken over from pg. */
interface Backend {
  readonly socket: Socket
  readonly close: () => Promise<void>
}

interface Client {
  readonly socket: Socket
  /** What it has sent and no server has been given. */
  input: Buffer
  backend: Backend | undefined
  /** The server has a Sync or simple query of it: nothing more goes there before its ReadyForQuery. */
  isReadyDue: boolean
}

/** A pooler on a port of its own. */
export class TransactionPooler {
  /** How often a client was given another server than the last time. */
  changes = 0
  readonly #server: Server
  readonly #free: Backend[]
  readonly #all: readonly Backend[]
  readonly #settings: ReadonlyMap<string, string>
  readonly #waiting: Client[] = []
  readonly #sockets = new Set<Socket>()
  readonly #last = new WeakMap<Client, Backend>()

  private constructor(backends: readonly Backend[], settings: ReadonlyMap<string, string>) {
    this.#all = backends
    this.#free = [...backends]
    this.#settings = settings
    this.#server = createServer((socket) => this.#accept(socket))
  }

  /** Opens its connections to the test's server and listens. */
  static async start(size: number): Promise<TransactionPooler> {
    const settings = new Map<string, string>()
    const backends: Backend[] = []
    for (let count = 0; count < size; count++) backends.push(await openBackend(settings))
    const pooler = new TransactionPooler(backends, settings)
    await new Promise<void>((resolve) => pooler.#server.listen(0, '127.0.0.1', resolve))
    return pooler
  }

  /** Where clients connect to. It asks for no password. */
  get url(): string {
    const { port } = this.#server.address() as { port: number }
    return Object.assign(new URL(url), { hostname: '127.0.0.1', port: `${port}` }).href
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
    await Promise.all(this.#all.map((backend) => backend.close()))
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    const client: Client = { socket, input: Buffer.alloc(0), backend: undefined, isReadyDue: false }
    let isStarted = false
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', (bytes) => {
      client.input = Buffer.concat([client.input, bytes])
      if (!isStarted) {
        const length = client.input.length < 8 ? 0 : client.input.readInt32BE(0)
        if (length === 0 || client.input.length < length) return
        const code = client.input.readInt32BE(4)
        client.input = client.input.subarray(length)
        if (code === 80877103) {
          // SSLRequest: no.
          socket.write('N')
          return
        }
        if (code === 80877102) {
          // CancelRequest: there is nobody whom its key would name.
          socket.end()
          return
        }
        isStarted = true
        socket.write(this.#greeting())
      }
      this.#serve(client)
    })
  }

  /** AuthenticationOk, the settings, a process id of its own invention, ReadyForQuery. */
  #greeting(): Buffer {
    const settings = [...this.#settings].map(([name, value]) =>
      message('S', Buffer.from(`${name}\0${value}\0`)),
    )
    const key = Buffer.alloc(8)
    key.writeInt32BE(0x7fff0000 + this.#sockets.size, 0)
    return Buffer.concat([
      message('R', Buffer.alloc(4)),
      ...settings,
      message('K', key),
      message('Z', Buffer.from('I')),
    ])
  }

  /** Gives the client a server, if it has something for one and one is free. */
  #serve(client: Client): void {
    if (client.input.length === 0 || client.socket.destroyed) return
    if (String.fromCharCode(client.input[0]!) === 'X') {
      client.socket.end()
      return
    }
    if (client.backend === undefined) {
      const backend = this.#free.shift()
      if (backend === undefined) {
        if (!this.#waiting.includes(client)) this.#waiting.push(client)
        return
      }
      if (this.#last.get(client) !== backend) this.changes += 1
      this.#last.set(client, backend)
      client.backend = backend
      this.#listen(client, backend)
    }
    this.#forward(client, client.backend)
  }

  /** Forwards up to the end of the first Sync group or simple query; what is behind it waits for ReadyForQuery. */
  #forward(client: Client, backend: Backend): void {
    if (client.isReadyDue) return
    let end = 0
    while (end + 5 <= client.input.length) {
      const tag = String.fromCharCode(client.input[end]!)
      const total = 1 + client.input.readInt32BE(end + 1)
      if (end + total > client.input.length) break
      end += total
      client.isReadyDue = tag === 'S' || tag === 'Q'
      if (client.isReadyDue) break
    }
    if (end === 0) return
    backend.socket.write(client.input.subarray(0, end))
    client.input = client.input.subarray(end)
  }

  #listen(client: Client, backend: Backend): void {
    let answer: Buffer = Buffer.alloc(0)
    backend.socket.removeAllListeners('data')
    backend.socket.on('data', (bytes) => {
      answer = Buffer.concat([answer, bytes])
      let end = 0
      while (end + 5 <= answer.length) {
        const total = 1 + answer.readInt32BE(end + 1)
        if (end + total > answer.length) break
        const isReady = String.fromCharCode(answer[end]!) === 'Z'
        const status = isReady ? String.fromCharCode(answer[end + 5]!) : ''
        end += total
        if (!isReady) continue
        client.isReadyDue = false
        client.socket.write(answer.subarray(0, end))
        answer = answer.subarray(end)
        end = 0
        if (status === 'I') this.#release(client, backend)
        else this.#forward(client, backend)
        return
      }
      if (end > 0) client.socket.write(answer.subarray(0, end))
      answer = answer.subarray(end)
    })
  }

  #release(client: Client, backend: Backend): void {
    backend.socket.removeAllListeners('data')
    client.backend = undefined
    this.#free.push(backend)
    if (client.input.length > 0 && !this.#waiting.includes(client)) this.#waiting.push(client)
    const next = this.#waiting.shift()
    if (next !== undefined) this.#serve(next)
  }
}

async function openBackend(settings: Map<string, string>): Promise<Backend> {
  const client = new pg.Client({ connectionString: url })
  // What pg has for its own use.
  const { connection } = client as unknown as {
    connection: {
      stream: Socket
      on(
        event: 'parameterStatus',
        listener: (message: { parameterName: string; parameterValue: string }) => void,
      ): void
    }
  }
  connection.on('parameterStatus', ({ parameterName, parameterValue }) =>
    settings.set(parameterName, parameterValue),
  )
  await client.connect()
  const socket = connection.stream
  // From here on it is no business of pg's.
  socket.removeAllListeners()
  socket.on('error', () => {})
  socket.setNoDelay(true)
  return {
    socket,
    close: async () => {
      socket.destroy()
    },
  }
}

function message(tag: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(tag, 0, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
