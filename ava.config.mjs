// Tests are compiled by tsc into .cache/test; every file runs in a process of its own, as users run the driver.
export default {
  files: [
    '.cache/test/__test__/{unit,integration,extensions,memory,poolers}/**/*.test.js',
    '__test__/package/**/*.test.mjs',
  ],
  workerThreads: false,
  concurrency: 2,
  // Without a result of any test: what hangs, and not what a busy machine takes long for.
  timeout: '10m',
}
