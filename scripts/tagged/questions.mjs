// Single questions. Each has a tag, a number of its own; its answer, or its error, must carry the same.
//
// A question also looks whose transaction it is in: `tagged.owner` is set inside transactions alone, and has the tag of
// the transaction.

/** Rows that are inserted, one for each part of a tag. */
export const TABLE = 'tagged_rows'

/** SQLSTATEs. */
const INVALID_TEXT = '22P02'
const UNDEFINED_COLUMN = '42703'

/**
 * @typedef {object} Setting
 * @property {import('./account.mjs').Account} account
 * @property {import('./drivers/index.mjs').Driver} driver
 * @property {() => number} random
 */

/** A random whole number from 0 to below `count`. */
export const upTo = (random, count) => Math.floor(random() * count)

/** Whether there are `count` rows, and each is right. */
export const areRows = (rows, count, isRow) =>
  rows.length === count && Array.from(rows).every((row, index) => isRow(row, index))

/** The errors that carry a tag. */
export const isTagged = (driver) => (error, tag) =>
  driver.sqlstate(error) === INVALID_TEXT && error.message.includes(`"tag ${tag}"`)

/** One row, and whose transaction it is in. */
function oneRow({ account }, asker, owner = '') {
  const sql = `SELECT $1::int4 AS tag, coalesce(current_setting('tagged.owner', true), '') AS owner`
  return account.ask('prepared', (tag) => asker.prepared(sql, [tag]), {
    answer: (rows, tag) => areRows(rows, 1, (row) => row.tag === tag && row.owner === owner),
  })
}

/** An answer of some length; now and then it is longer than any buffer. */
function longRow({ account, random }, asker) {
  const length = upTo(random, 500) === 0 ? 200_000 : upTo(random, 300)
  const sql = `SELECT $1::int4 AS tag, repeat('x', $2::int4) AS filler`
  return account.ask('prepared', (tag) => asker.prepared(sql, [tag, length]), {
    answer: (rows, tag) => areRows(rows, 1, (row) => row.tag === tag && row.filler.length === length),
  })
}

/** So many rows, or none: then only their number tells. */
function manyRows({ account, random }, asker) {
  const count = upTo(random, 40)
  const sql = 'SELECT $1::int4 AS tag, part FROM generate_series(1, $2::int4) AS part'
  return account.ask('prepared', (tag) => asker.prepared(sql, [tag, count]), {
    answer: (rows, tag) => areRows(rows, count, (row, index) => row.tag === tag && row.part === index + 1),
  })
}

/** A text instead of a number. */
function textRow({ account }, asker) {
  const sql = 'SELECT $1::text AS tag, length($1::text) AS length'
  return account.ask('prepared', (tag) => asker.prepared(sql, [`tag ${tag}`]), {
    answer: (rows, tag) =>
      areRows(rows, 1, (row) => row.tag === `tag ${tag}` && row.length === row.tag.length),
  })
}

/** A text that never comes again, with the tag in it, and in the name of its column. */
function newText({ account }, asker) {
  return account.ask('new', (tag) => asker.fresh(`SELECT ${tag} AS tag_${tag}`, []), {
    answer: (rows, tag) => areRows(rows, 1, (row) => row[`tag_${tag}`] === tag),
  })
}

/** The same with a parameter, so that it has to be described. */
function newTextWithParameter({ account }, asker) {
  const send = (tag) => asker.fresh(`SELECT ${tag} AS tag, $1::int4 AS again`, [tag])
  return account.ask('new', send, {
    answer: (rows, tag) => areRows(rows, 1, (row) => row.tag === tag && row.again === tag),
  })
}

/** What is acknowledged is stored, once. */
export function insert({ account }, asker) {
  const sql = `INSERT INTO ${TABLE} VALUES ($1::int4, 0) RETURNING tag`
  return account.ask('insert', (tag) => asker.prepared(sql, [tag]), {
    answer: (rows, tag) => areRows(rows, 1, (row) => row.tag === tag),
  })
}

async function insertAlone(setting, asker) {
  const { tag, isRight } = await insert(setting, asker)
  if (isRight) setting.account.written.set(tag, 1)
  else setting.account.uncertain.add(tag)
}

/** It fails while it is executed. */
export function failing({ account, driver }, asker) {
  const sql = `SELECT ('tag ' || $1::int4)::int4 AS tag`
  return account.ask('failing', (tag) => asker.prepared(sql, [tag]), { error: isTagged(driver) })
}

/** It fails behind its first rows. */
function failingLate({ account, driver }, asker) {
  const sql = `SELECT (CASE part WHEN 20 THEN 'tag ' || $1::int4 ELSE '1' END)::int4 AS tag
    FROM generate_series(1, 40) AS part`
  return account.ask('failing', (tag) => asker.prepared(sql, [tag]), { error: isTagged(driver) })
}

/** It fails when it is parsed, and has never been seen. */
function failingToParse({ account, driver }, asker) {
  return account.ask('failing', (tag) => asker.fresh(`SELECT no_such_${tag}`, []), {
    error: (error, tag) =>
      driver.sqlstate(error) === UNDEFINED_COLUMN && error.message.includes(`"no_such_${tag}"`),
  })
}

/** Those that a transaction survives. */
const SOUND = [oneRow, oneRow, oneRow, longRow, manyRows, textRow, newText, newTextWithParameter]
const ALL = [...SOUND, ...SOUND, insertAlone, insertAlone, failing, failingLate, failingToParse]

const pick = (random, list) => list[upTo(random, list.length)]

/** Some question, outside of transactions. */
export const single = (setting, asker) => pick(setting.random, ALL)(setting, asker)

/** Some question that does not fail; inside a transaction `owner` is its tag. */
export const sound = (setting, asker, owner) => pick(setting.random, SOUND)(setting, asker, owner)
