// Hooks of a pool that never end, and have no limit: whoever waits for one is told when its session has ended.
import test, { type ExecutionContext } from 'ava'
import {
  ConnectionDoesNotExistError,
  InterfaceError,
  type Pool,
  type PoolConnection,
  type PoolOptions,
  TimeoutError,
} from 'oxpg'
import { connection, pool, until } from '../support/server.js'

const HOOKS = ['init', 'setup', 'reset'] as const

/** What a pool is asked for; each gives 1 when it goes well. */
const CALLS = {
  fetch: (p: Pool) => p.fetchVal('select 1'),
  acquire: async (p: Pool) => {
    await (await p.acquire()).release()
    return 1
  },
  use: (p: Pool) => p.use(() => 1),
  transaction: (p: Pool) => p.transaction(() => 1),
  begin: async (p: Pool) => {
    await (await p.begin()).commit()
    return 1
  },
}
/** Calls of which nothing is outstanding when `reset` runs: what they have done stands. */
const STANDING: ReadonlySet<string> = new Set(['fetch', 'use', 'transaction', 'begin'])

/** A pool of one connection whose hook tells of the session that it has, and never ends. */
async function hanging(
  t: ExecutionContext,
  hook: (typeof HOOKS)[number],
  options: PoolOptions = {},
): Promise<{ p: Pool; inHook: Promise<PoolConnection> }> {
  let enter: (c: PoolConnection) => void
  const inHook = new Promise<PoolConnection>((resolve) => {
    enter = resolve
  })
  const never = (c: PoolConnection) => {
    enter(c)
    return new Promise(() => {})
  }
  const p = await pool(t, { maxSize: 1, acquireTimeoutMs: 0, [hook]: never, ...options })
  return { p, inHook }
}

/** How the session of a hook ends, and what is said of it. */
const ENDS = {
  terminate: {
    end: async (_t: ExecutionContext, p: Pool) => p.terminate(),
    instanceOf: InterfaceError,
    text: 'the pool was terminated',
  },
  close: {
    end: async (t: ExecutionContext, p: Pool) => {
      await t.throwsAsync(p.close({ timeoutMs: 1 }), { instanceOf: TimeoutError })
    },
    instanceOf: InterfaceError,
    text: 'the pool was terminated',
  },
  kill: {
    end: async (t: ExecutionContext, _p: Pool, pid: number) => {
      const other = await connection(t)
      await other.execute('select pg_terminate_backend($1)', [pid])
    },
    instanceOf: ConnectionDoesNotExistError,
    text: 'the connection was lost',
  },
}

for (const hook of HOOKS) {
  for (const [way, { end, instanceOf, text }] of Object.entries(ENDS)) {
    for (const [kind, call] of Object.entries(CALLS)) {
      test(`${hook} hangs, ${way} ends its session, and ${kind} has an end`, async (t) => {
        const { p, inHook } = await hanging(t, hook)
        const calling = call(p)
        const told =
          hook === 'reset' && STANDING.has(kind)
            ? calling.then((value) => t.is(value, 1))
            : t.throwsAsync(calling, { instanceOf, message: `${text} while the pool's hook ${hook} ran` })
        const { serverPid } = await inHook
        await end(t, p, serverPid)
        await told
        await until(async () => p.stats.inUse === 0, 'the end of its use')
      })
    }
  }
}

test('of a lost session the cause is known, and a call that a hook has kept from beginning may be made again', async (t) => {
  for (const hook of ['setup', 'reset'] as const) {
    const { p, inHook } = await hanging(t, hook)
    const calling = CALLS.acquire(p)
    const { serverPid } = await inHook
    await ENDS.kill.end(t, p, serverPid)
    const error = (await t.throwsAsync(calling)) as ConnectionDoesNotExistError
    t.is((error.cause as { sqlstate?: string }).sqlstate, '57P01')
    t.is(error.safeToRetry, hook === 'setup')
  }
})

test('a hook that is at work on its session says itself what has become of it', async (t) => {
  let enter: (pid: number) => void
  const inHook = new Promise<number>((resolve) => {
    enter = resolve
  })
  const p = await pool(t, {
    setup: async (c) => {
      enter(c.serverPid)
      await c.fetch('select pg_sleep(600)').catch((cause) => {
        throw new Error('of the hook', { cause })
      })
    },
  })
  const told = t.throwsAsync(p.fetchVal('select 1'), { message: 'of the hook' })
  await ENDS.kill.end(t, p, await inHook)
  await told
})

test('what a hook comes to after its session has ended is heard by nobody, and no further hook is called', async (t) => {
  const unheard: unknown[] = []
  const note = (reason: unknown) => void unheard.push(reason)
  process.on('unhandledRejection', note)
  t.teardown(() => void process.off('unhandledRejection', note))
  for (const isFailing of [true, false]) {
    let goOn!: () => void
    let enter!: () => void
    let setups = 0
    const inHook = new Promise<void>((resolve) => {
      enter = resolve
    })
    const p = await pool(t, {
      init: async () => {
        enter()
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
        if (isFailing) throw new Error('too late')
      },
      setup: () => {
        setups += 1
      },
    })
    const told = t.throwsAsync(p.fetchVal('select 1'), {
      message: /terminated while the pool's hook init ran/,
    })
    await inHook
    p.terminate()
    await told
    goOn()
    // An unhandled rejection is told of before the next turn.
    await new Promise((resolve) => setImmediate(resolve))
    t.is(setups, 0)
  }
  t.deepEqual(unheard, [])
})

test('a hook that ends its session and goes on keeps nobody waiting', async (t) => {
  const p = await pool(t, {
    acquireTimeoutMs: 0,
    setup: async (c) => {
      await c.close()
      await new Promise(() => {})
    },
  })
  await t.throwsAsync(p.fetchVal('select 1'), {
    instanceOf: InterfaceError,
    message: "the connection was closed while the pool's hook setup ran",
  })
})

test('a reset hook may close its session, and keeps nobody waiting when it goes on', async (t) => {
  const p = await pool(t, {
    acquireTimeoutMs: 0,
    reset: async (c) => {
      await c.close()
      await new Promise(() => {})
    },
  })
  for (const call of Object.values(CALLS)) t.is(await call(p), 1)
})

test('whoever waits in vain, for the pool to close or for a connection, is told of the hook that runs', async (t) => {
  for (const hook of HOOKS) {
    for (const kind of ['fetch', 'acquire'] as const) {
      const { p, inHook } = await hanging(t, hook)
      const calling = CALLS[kind](p).catch(() => {})
      const { serverPid } = await inHook
      const text = new RegExp(`server pid ${serverPid} for \\d+ ms in the pool's hook ${hook}$`)
      const waits = [() => p.acquire({ timeoutMs: 1 }), () => p.close({ timeoutMs: 1 })]
      for (const wait of waits) {
        const error = await t.throwsAsync(wait(), { instanceOf: TimeoutError, message: text })
        t.like(error.holders, [{ serverPid, call: hook, stack: undefined }])
        t.is(error.holders?.length, 1)
      }
      await calling
    }
  }
})
