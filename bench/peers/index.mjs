// The peers of a run: how each is started, and what it needs.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const python = here('../.venv/bin/python')
const bun = here('../node_modules/bun/bin/bun.exe')
const floor = here('floor/target/release/oxpg-bench-floor')

/** A peer that Node runs. */
const inNode = (program, needs) => ({ command: [process.execPath, here(program)], needs, isInNode: true })

/** Each peer: its command, and the file whose absence means that it cannot run here. */
const definitions = {
  oxpg: inNode('oxpg.mjs', here('../../dist/index.mjs')),
  pg: inNode('pg.mjs', here('../node_modules/pg')),
  postgres: inNode('postgres.mjs', here('../node_modules/postgres')),
  bun: { command: [bun, here('bun-sql.mjs')], needs: bun },
  asyncpg: { command: [python, here('asyncpg_peer.py')], needs: python },
  floor: { command: [floor], needs: floor, isBare: true },
}

/** OXPG_BEFORE is the folder of another checkout of oxpg, built: what a change costs is measured beside it. */
const before = process.env.OXPG_BEFORE
if (before !== undefined) {
  const root = pathToFileURL(`${before}/`)
  definitions.before = {
    ...definitions.oxpg,
    needs: `${before}/dist/index.mjs`,
    env: { OXPG_ROOT: root.href },
  }
}

export const peerNames = Object.keys(definitions)

/** Drivers that Node loads. */
export const isInNode = (name) => definitions[name].isInNode === true

/** Tasks that only the drivers of Node have. */
const IN_NODE_ONLY = new Set(['transaction', 'batch'])

/** Why a peer cannot take part, or undefined. */
export function obstacle(name, { isWatched, task }, { callers, isEncrypted }) {
  const { needs, isBare } = definitions[name]
  if (!existsSync(needs)) return 'not installed'
  if (isBare && callers > 1) return 'one caller only'
  if (isBare && isEncrypted) return 'has no TLS'
  if (IN_NODE_ONLY.has(task) && !isInNode(name)) return 'has no transactions here'
  return isWatched && !isInNode(name) ? 'only the main thread of Node is watched' : undefined
}

/** A driver in a process of its own, open on `connections` connections. */
export class Peer {
  #child
  #answers

  /** @param {{ url: string, caFile?: string }} server over TLS, verified by the file, if there is one */
  constructor(name, { url, caFile }, connections) {
    this.name = name
    const { env } = definitions[name]
    const [command, ...args] = definitions[name].command
    const target = [url, String(connections), ...(caFile === undefined ? [] : [caFile])]
    this.#child = spawn(command, [...args, ...target], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** Its version and what encrypts its session, once it is connected. */
  async ready() {
    return await this.#next()
  }

  async slice(request) {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`)
    return await this.#next()
  }

  close() {
    this.#child.stdin.end()
    this.#child.kill()
  }

  async #next() {
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`${this.name} ended`)
    const answer = JSON.parse(value)
    if (answer.error !== undefined) throw new Error(`${this.name}: ${answer.error}`)
    return answer
  }
}
