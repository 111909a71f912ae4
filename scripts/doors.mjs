// What users enter the package by. A door is built from a module of src to three files in dist:
//   <door>.js          the code as CommonJS, bundled; what doors share is in files of its own
//   <door>.mjs         the names again, for `import`
//   <door>.bridge.js   what stands between the two

/** The doors of dist, each with its module in src. */
export const DOORS = { index: 'index' }

/** The files of the doors, below the project's root. */
export const doorFiles = () =>
  Object.keys(DOORS).flatMap((door) => ['js', 'mjs', 'bridge.js'].map((ending) => `dist/${door}.${ending}`))
