// Servers with TLS, and what stands between them and a client.
import { readFileSync } from 'node:fs'
import { connect as connectSocket, createServer, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

export interface TlsServer {
  host: string
  port: number
  user: string
  password: string
  socketDirectory: string
  logFile: string
  stop(): Promise<void>
}

/** A file of `__test__/support/certificates`, which scripts/make-test-certificates.sh makes. */
export const certificateFile = (name: string): string => resolve('__test__/support/certificates', name)

export const pem = (name: string): string => readFileSync(certificateFile(name), 'utf8')

/** Starts a server with a certificate of that folder; its users are in scripts/tls-servers.mjs. */
export async function startTlsServer(
  certificate: string,
  settings: Record<string, string> = {},
): Promise<TlsServer> {
  const script = pathToFileURL(resolve('scripts/tls-servers.mjs')).href
  const { startWithTls } = await import(script)
  return startWithTls(certificate, settings)
}

/** What a proxy does with the bytes of one connection; what it gives goes on, and if that is less, the connection ends. */
export interface Between {
  toServer?: (bytes: Buffer) => Buffer | undefined
  toClient?: (bytes: Buffer) => Buffer | undefined
}

/** A proxy in front of a server; each connection gets a `Between` of its own. */
export async function between(
  t: { teardown(close: () => void): void },
  server: TlsServer,
  make: () => Between,
): Promise<number> {
  const sockets = new Set<Socket>()
  const proxy = createServer((front) => {
    const back = connectSocket(server.port, server.host)
    const { toServer = (bytes) => bytes, toClient = (bytes) => bytes } = make()
    const pass = (from: Socket, to: Socket, change: (bytes: Buffer) => Buffer | undefined): void => {
      from.setNoDelay(true)
      from.on('error', () => {})
      from.on('close', () => to.end())
      from.on('data', (bytes: Buffer) => {
        const changed = change(bytes)
        if (changed !== undefined) to.write(changed)
        if (changed === undefined || changed.length < bytes.length) from.destroy()
      })
      sockets.add(from)
    }
    pass(front, back, toServer)
    pass(back, front, toClient)
  })
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    proxy.close()
    for (const socket of sockets) socket.destroy()
  })
  return (proxy.address() as { port: number }).port
}
