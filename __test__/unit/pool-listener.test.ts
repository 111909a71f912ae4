import test from 'ava'
import { DEFAULT_PLAN } from '../../src/decode/mapping'
import { checkListen } from '../../src/listen-options'
import type { ConnectionTarget, NotificationMessage } from '../../src/native/door'
import { PoolListener, type PoolListenItem } from '../../src/pool-listener'
import { CallDefaults } from '../../src/send'

/** A session that only listens; its messages may come with the very answer to LISTEN. */
class ListeningSession {
  onNotification: ((message: NotificationMessage) => void) | undefined
  isClosed = false
  closeFailure = undefined
  readonly #withAnswers: readonly NotificationMessage[]
  #onceOver: (() => void) | undefined

  constructor(withAnswers: readonly NotificationMessage[] = []) {
    this.#withAnswers = withAnswers
  }

  control(text: string): { settled: Promise<void>; failure: undefined; wasInTransaction: boolean } {
    for (const message of this.#withAnswers) {
      if (text.includes(`"${message.channel}"`)) this.onNotification?.(message)
    }
    return { settled: Promise.resolve(), failure: undefined, wasInTransaction: false }
  }

  onceOver(listener: () => void): () => void {
    this.#onceOver = listener
    return () => {}
  }

  lose(): void {
    this.isClosed = true
    this.#onceOver?.()
  }

  reference(): void {}
  unreference(): void {}
  close(): { settled: Promise<void> } {
    this.isClosed = true
    return { settled: Promise.resolve() }
  }
}

const message = (channel: string, payload: string): NotificationMessage => ({ pid: 1, channel, payload })

test('what comes with the answer to LISTEN after a loss is given behind the gap', async (t) => {
  const sessions = [
    new ListeningSession(),
    new ListeningSession([message('a', 'with the answer'), message('b', 'of another channel')]),
  ]
  const opened = [...sessions]
  const listener = new PoolListener({
    open: async () => opened.shift() as unknown as ConnectionTarget,
    defaults: new CallDefaults(DEFAULT_PLAN, 0),
    probeIntervalMs: 0,
  })
  const subscriptions = [
    await listener.listen('a', checkListen('a', undefined, undefined, 0)),
    await listener.listen('b', checkListen('b', undefined, undefined, 0)),
  ]
  const heard = subscriptions.map(async (subscription) => {
    const items: string[] = []
    for await (const { isGap, payload } of subscription as AsyncIterable<PoolListenItem>) {
      items.push(isGap ? 'gap' : payload)
      if (items.length === 2) break
    }
    return items
  })
  sessions[0]!.lose()
  t.deepEqual(await Promise.all(heard), [
    ['gap', 'with the answer'],
    ['gap', 'of another channel'],
  ])
})
