// The way between driver and server, which can be cut, reset and frozen: a proxy that passes everything on until then.
import { connect, createServer } from 'node:net'

/** @param {() => number} portOf the server's port */
export async function openLinks(portOf) {
  const links = new Set()
  const proxy = createServer({ allowHalfOpen: false }, (client) => {
    const server = connect(portOf(), '127.0.0.1')
    const link = { client, server }
    links.add(link)
    const end = () => {
      links.delete(link)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', end).on('close', end)
    }
    client.pipe(server)
    server.pipe(client)
  })
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const some = (random) => [...links][Math.floor(random() * links.size)]
  return {
    port: proxy.address().port,
    /** The end of the stream, after what is under way. */
    cut: (random) => some(random)?.client.end(),
    reset: (random) => some(random)?.client.resetAndDestroy(),
    /** Nothing goes on any more, and nothing ends, for so long. */
    freeze(random, forMs) {
      const link = some(random)
      if (link === undefined) return
      link.server.unpipe(link.client)
      link.client.unpipe(link.server)
      link.server.pause()
      link.client.pause()
      setTimeout(() => {
        link.client.pipe(link.server)
        link.server.pipe(link.client)
      }, forMs).unref()
    },
    close() {
      proxy.close()
      for (const { client, server } of links) {
        client.destroy()
        server.destroy()
      }
    },
  }
}
