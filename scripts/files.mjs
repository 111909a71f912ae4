// Walks the project's own folders.
import { readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ROOT } from './run.mjs'

/** Whether the project has this path (relative to its root). */
export const isThere = (path) => statSync(join(ROOT, path), { throwIfNoEntry: false }) !== undefined

/**
 * Files at or below a path of the project, sorted, as paths relative to its root with forward slashes; nothing where
 * the path does not exist. Installed packages and hidden folders are left out.
 */
export function filesBelow(path, pattern = /./) {
  const files = []
  const visit = (absolute) => {
    if (statSync(absolute).isDirectory()) {
      for (const name of readdirSync(absolute).sort())
        if (name !== 'node_modules') visit(join(absolute, name))
      return
    }
    const file = relative(ROOT, absolute).replaceAll('\\', '/')
    if (pattern.test(file)) files.push(file)
  }
  if (isThere(path)) visit(join(ROOT, path))
  return files
}
