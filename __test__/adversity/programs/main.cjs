const enter = require('./states.cjs')

const [, , url, state, exit] = process.argv
enter(state, url, exit === 'end').then(() => {
  if (exit === 'exit') process.exit(7)
  if (exit === 'throw') setImmediate(() => {
    throw new Error('on purpose')
  })
  if (exit === 'reject') Promise.reject(new Error('on purpose'))
  if (exit === 'sigterm') process.kill(process.pid, 'SIGTERM')
})
