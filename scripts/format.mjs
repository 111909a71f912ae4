// npm run format: rustfmt and biome, with biome's safe fixes.
import { PROGRAMS, run, runNode } from './run.mjs'
import { install } from './setup.mjs'

await install()
await run('cargo', ['fmt', '--all'], { isLive: true })
await runNode(PROGRAMS.biome, ['check', '--write', '.'], { isLive: true })
