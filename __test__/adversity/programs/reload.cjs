// Loads the module again and again, as test runners and hot reload do, and tells what that leaves in the process.
//
//   node --expose-gc reload.cjs URL require|vm closed|failed|open ROUNDS
const { readdirSync, readFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { dirname, join } = require('node:path')
const { setImmediate: turn } = require('node:timers/promises')
const vm = require('node:vm')

const [, , url, way, ending, rounds] = process.argv
const entry = require.resolve('oxpg')
const root = dirname(entry)

/** The module afresh: by Node's own loader, or in a context of its own with a loader like jest's. */
const LOADERS = {
  require() {
    for (const file of Object.keys(require.cache)) {
      if (file.startsWith(root) || file.endsWith('.node')) delete require.cache[file]
    }
    return require('oxpg')
  },
  vm() {
    const { Buffer, process, queueMicrotask, setImmediate, setTimeout, clearTimeout, AbortSignal } = globalThis
    const globals = { Buffer, process, queueMicrotask, setImmediate, setTimeout, clearTimeout, AbortSignal }
    const parsingContext = vm.createContext(globals)
    const modules = new Map()
    const load = (file) => {
      const known = modules.get(file)
      if (known !== undefined) return known.exports
      const native = createRequire(file)
      const module = { exports: {} }
      modules.set(file, module)
      const own = (specifier) => {
        const resolved = native.resolve(specifier)
        return resolved.startsWith(root) ? load(resolved) : native(specifier)
      }
      const names = ['exports', 'require', 'module', '__filename', '__dirname']
      const body = vm.compileFunction(readFileSync(file, 'utf8'), names, { filename: file, parsingContext })
      body(module.exports, Object.assign(own, { resolve: native.resolve }), module, file, dirname(file))
      return module.exports
    }
    return load(entry)
  },
}

/** What a round does with its copy of the module. */
const ROUNDS = {
  async closed({ connect, createPool }) {
    const connection = await connect(url)
    const pool = await createPool(url, { minSize: 1, maxSize: 2 })
    const values = await Promise.all([connection.fetchVal('select 1'), pool.fetchVal('select 2')])
    if (values.join() !== '1,2') throw new Error(`wrong values: ${values}`)
    await connection.close()
    await pool.close()
  },
  async failed({ connect }) {
    await connect('postgres://127.0.0.1:1/none').then(
      () => Promise.reject(new Error('there is no such server')),
      () => {},
    )
    await connect(url, { database: 'none' }).then(
      () => Promise.reject(new Error('there is no such database')),
      () => {},
    )
  },
  async open({ connect }) {
    await connect(url)
  },
}

const linux = process.platform === 'linux'
const count = (folder) => (linux ? readdirSync(join('/proc/self', folder)).length : 0)

/** Whether the driver's background thread runs: it ends when all is let go. */
function isThreadThere() {
  return readdirSync('/proc/self/task').some((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim() === 'oxpg'
    } catch {
      // It has ended meanwhile.
      return false
    }
  })
}

/** V8 needs several collections, and turns of the loop between them, for objects that hold others. */
async function collect() {
  for (let pass = 0; pass < 5; pass++) {
    await turn()
    globalThis.gc()
  }
}

async function state() {
  while (linux && ending !== 'open' && isThreadThere()) await turn()
  await collect()
  return {
    threads: count('task'),
    descriptors: count('fd'),
    listeners: process.listenerCount('exit'),
    rssMiB: process.memoryUsage.rss() / 2 ** 20,
  }
}

async function main() {
  const states = []
  for (let round = 1; round <= Number(rounds); round++) {
    await ROUNDS[ending](LOADERS[way]())
    // What could be collected and is not makes the process larger for good.
    if (round % 10 === 0) await collect()
    if (round === Number(rounds) / 2 || round === Number(rounds)) states.push(await state())
  }
  console.log(JSON.stringify(states))
  if (ending === 'open') process.exit(0)
}

main()
