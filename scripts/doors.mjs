// What users enter the package by. A door is built from a module of src to three files in dist:
//   <door>.js          the code as CommonJS, bundled; other doors than index take what they share from index.js
//   <door>.mjs         the names again, for `import`
//   <door>.bridge.js   what stands between the two

/** The doors of dist, each with its module in src. */
export const DOORS = { index: 'index', otel: 'otel' }

/** Packages that a door may need, and that users of it install themselves. */
export const PEERS = ['@opentelemetry/api']

/** The files of the doors, below the project's root. */
export const doorFiles = () =>
  Object.keys(DOORS).flatMap((door) => ['js', 'mjs', 'bridge.js'].map((ending) => `dist/${door}.${ending}`))
