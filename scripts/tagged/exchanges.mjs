// What a caller does with a driver, one after the other: a single question, or several that belong together.
import { areRows, failing, insert, isTagged, single, sound, TABLE, upTo } from './questions.mjs'

/** A text that takes so many milliseconds; no two calls of it take as long. */
const SLEEP = 'SELECT $1::int4 AS tag FROM pg_sleep($2::int4 / 1000.0)'
const MOST_MS = 5

const isOwn = (rows, tag) => areRows(rows, 1, (row) => row.tag === tag)

const onPool = (setting) => single(setting, setting.driver.pool)

/** Several at once on a connection alone. */
function leased(setting) {
  const { driver, random } = setting
  const count = 1 + upTo(random, 6)
  return driver.leased((connection) =>
    Promise.all(Array.from({ length: count }, () => single(setting, connection))),
  )
}

/** One statement that is prepared by hand, executed several times at once. */
function handle({ account, driver, random }) {
  const parts = Array.from({ length: 1 + upTo(random, 6) }, (_, part) => part)
  const send = (tag) =>
    driver.handle(
      'SELECT $1::int4 AS tag, $2::int4 AS part',
      parts.map((part) => [tag, part]),
    )
  return account.ask('handle', send, {
    answer: (answers, tag) =>
      areRows(answers, parts.length, (rows, part) =>
        areRows(rows, 1, (row) => row.tag === tag && row.part === part),
      ),
  })
}

/** Its caller gives it up by a signal: before it is sent, while it runs, or when it is over. */
async function signal({ account, driver, random }) {
  const controller = new AbortController()
  const [runMs, givenUpMs] = [upTo(random, MOST_MS), upTo(random, MOST_MS + 2)]
  let timer
  const send = (tag) => {
    const answer = driver.cancellable(SLEEP, [tag, runMs], controller.signal)
    if (givenUpMs === 0) controller.abort(new Error(`given up: ${tag}`))
    else timer = setTimeout(() => controller.abort(new Error(`given up: ${tag}`)), givenUpMs)
    return answer
  }
  await account.ask('signal', send, {
    answer: isOwn,
    error: (error) => driver.isCancelled(error, controller.signal),
  })
  clearTimeout(timer)
}

/** It has a limit, which it may pass. */
function timeout({ account, driver, random }) {
  const [runMs, timeoutMs] = [upTo(random, MOST_MS), 1 + upTo(random, MOST_MS)]
  return account.ask('timeout', (tag) => driver.limited(SLEEP, [tag, runMs], timeoutMs), {
    answer: isOwn,
    error: (error) => driver.isTimeout(error),
  })
}

/** Many executions in one call: their rows, their number, or that all failed and nothing is stored. */
async function many({ account, driver, random }) {
  const parts = Array.from({ length: 1 + upTo(random, 20) }, (_, part) => part)
  const kind = upTo(random, 3)
  if (kind === 0) {
    const sql = 'SELECT $1::int4 AS tag, $2::int4 AS part'
    const send = (tag) =>
      driver.fetchMany(
        sql,
        parts.map((part) => [tag, part]),
      )
    await account.ask('many', send, {
      answer: (rows, tag) => areRows(rows, parts.length, (row, part) => row.tag === tag && row.part === part),
    })
    return
  }
  const isFailing = kind === 1
  const list = (tag) => parts.map((part) => [tag, `${part}`]).concat(isFailing ? [[tag, `tag ${tag}`]] : [])
  const sql = `INSERT INTO ${TABLE} VALUES ($1::int4, ($2::text)::int4)`
  const { tag, isRight } = await account.ask('many', (number) => driver.executeMany(sql, list(number)), {
    answer: (count) => !isFailing && count === parts.length,
    error: (error, number) => isFailing && isTagged(driver)(error, number),
  })
  if (!isRight) account.uncertain.add(tag)
  else if (!isFailing) account.written.set(tag, parts.length)
}

/**
 * A transaction: it knows its own tag from the first statement to the last, runs on one session, and what it stored is
 * there if it was committed and is not if it was rolled back, by its caller or because a statement failed.
 */
async function transaction(setting) {
  const { account, driver, random } = setting
  const owner = account.nextTag()
  const ending = ['commit', 'commit', 'commit', 'throw', 'fail'][upTo(random, 5)]
  const isAtOnce = random() < 0.5
  const inserted = []
  let pid
  let thrown
  account.started('transaction', owner)
  try {
    await driver.transaction(async (tx) => {
      const opening = await account.ask(
        'transaction',
        () =>
          tx.prepared(`SELECT set_config('tagged.owner', $1::text, true) AS owner, pg_backend_pid() AS pid`, [
            `${owner}`,
          ]),
        { answer: (rows) => areRows(rows, 1, (row) => row.owner === `${owner}`) },
      )
      pid = opening.answer?.[0]?.pid
      const work = [
        () => sound(setting, tx, `${owner}`),
        async () => inserted.push(await insert(setting, tx)),
        ...Array.from({ length: upTo(random, 3) }, () => () => sound(setting, tx, `${owner}`)),
      ]
      if (isAtOnce) await Promise.all(work.map((step) => step()))
      else for (const step of work) await step()
      await account.ask(
        'transaction',
        (tag) =>
          tx.prepared(
            `SELECT $1::int4 AS tag, current_setting('tagged.owner') AS owner, pg_backend_pid() AS pid`,
            [tag],
          ),
        {
          answer: (rows, tag) =>
            areRows(rows, 1, (row) => row.tag === tag && row.owner === `${owner}` && row.pid === pid),
        },
      )
      if (ending === 'commit') return
      thrown = ending === 'throw' ? new Error(`rolled back: ${owner}`) : (await failing(setting, tx)).error
      throw thrown
    })
    if (ending === 'commit') {
      for (const { tag, isRight } of inserted) {
        if (isRight) account.written.set(tag, 1)
        else account.uncertain.add(tag)
      }
    } else account.wrongError('transaction', owner, new Error('was committed in place of rolled back'))
  } catch (error) {
    if (thrown === undefined || error !== thrown) {
      for (const { tag } of inserted) account.uncertain.add(tag)
      account.wrongError('transaction', owner, error)
    }
  }
  account.settled(owner)
}

/** Statements that are executed together: each has its own answer, or one fails and nothing of any is stored. */
async function batch({ account, driver, random }) {
  const parts = Array.from({ length: 1 + upTo(random, 6) }, (_, part) => part)
  const isFailing = random() < 0.3
  const sql = `INSERT INTO ${TABLE} VALUES ($1::int4, ($2::text)::int4) RETURNING tag, part`
  const send = (tag) =>
    driver.batch([
      ...parts.map((part) => [sql, [tag, `${part}`]]),
      ...(isFailing ? [[sql, [tag, `tag ${tag}`]]] : []),
    ])
  const { tag, isRight } = await account.ask('batch', send, {
    answer: (answers, number) =>
      !isFailing &&
      areRows(answers, parts.length, (rows, part) =>
        areRows(rows, 1, (row) => row.tag === number && row.part === part),
      ),
    error: (error, number) => isFailing && isTagged(driver)(error, number),
  })
  if (!isRight) account.uncertain.add(tag)
  else if (!isFailing) account.written.set(tag, parts.length)
}

/** A call that has settings of its own: it sees those, and nobody else does. */
function context({ account, driver, random }) {
  const tenant = `tenant ${upTo(random, 100)}`
  const sql = `SELECT $1::int4 AS tag, current_setting('tagged.tenant') AS tenant`
  return account.ask('context', (tag) => driver.context({ 'tagged.tenant': tenant }, sql, [tag]), {
    answer: (rows, tag) => areRows(rows, 1, (row) => row.tag === tag && row.tenant === tenant),
  })
}

/** Rows that are read piece by piece, to the end or not: outside of a transaction, or by a cursor. */
function stream({ account, driver, random }) {
  const count = 1 + upTo(random, 3_000)
  const read = random() < 0.3 ? 1 + upTo(random, count) : count
  const isCursor = random() < 0.5
  const sql = 'SELECT $1::int4 AS tag, part FROM generate_series(1, $2::int4) AS part'
  return account.ask('stream', (tag) => driver.stream(sql, [tag, count], read, isCursor), {
    answer: (rows, tag) => areRows(rows, read, (row, index) => row.tag === tag && row.part === index + 1),
  })
}

/** Each exchange: how often it comes up, and what a driver must have for it. */
const EXCHANGES = [
  { share: 80, play: onPool },
  { share: 4, play: leased },
  { share: 4, play: transaction },
  { share: 3, play: handle, kind: 'handle' },
  { share: 3, play: many, kind: 'many' },
  { share: 3, play: signal, kind: 'signal' },
  { share: 3, play: timeout, kind: 'timeout' },
  { share: 2, play: batch, kind: 'batch' },
  { share: 3, play: context, kind: 'context' },
  { share: 1, play: stream, kind: 'stream' },
]

/** Exchanges at random, of those that the driver can. */
export function exchangesOf(driver) {
  const able = EXCHANGES.filter(({ kind }) => !(kind in driver.missing))
  const total = able.reduce((sum, { share }) => sum + share, 0)
  return (setting) => {
    let place = setting.random() * total
    const chosen = able.find(({ share }) => {
      place -= share
      return place < 0
    })
    return (chosen ?? able[0]).play(setting)
  }
}
