// One scenario with one driver, in a process of its own: `run.mjs` starts it and does to its server what it asks for.
import { connect } from 'oxpg'
import { DRIVERS } from './drivers.mjs'
import { SCENARIOS } from './scenarios.mjs'

const [, , name, index] = process.argv
const url = process.env.OXPG_PEERS_URL

/** Has the parent do something to the server. */
const server = (action, how) =>
  new Promise((resolve) => {
    process.once('message', resolve)
    process.send({ action, how })
  })

const admin = await connect(url)
const outcome = await SCENARIOS[index].play({ name, open: DRIVERS[name], url, admin, server })
process.send({ outcome }, () => process.exit())
