// npm run demo: set-up, a server (DATABASE_URL's, or a throwaway one), the demo, and everything cleared away again.
import { start } from './embedded-postgres.mjs'
import { setup } from './setup.mjs'

const controller = new AbortController()
const interrupted = new Error('interrupted')
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    // A second Ctrl-C does not wait; the throwaway server ends and removes its folder even then.
    if (controller.signal.aborted) process.exit(130)
    console.log('\nclearing away …')
    controller.abort(interrupted)
  })
}

let server
try {
  await setup()
  controller.signal.throwIfAborted()
  const { demo } = await import('../examples/demo.mjs')
  if (!process.env.DATABASE_URL) server = await start()
  await demo(process.env.DATABASE_URL || server.url, controller.signal)
} catch (error) {
  process.exitCode = controller.signal.aborted ? 130 : 1
  if (error.output) process.stderr.write(error.output)
  if (!controller.signal.aborted) console.error(error)
} finally {
  await server?.stop()
}
