/**
 * Takes a module that was just loaded out of its parent's children. Node keeps them there when they are deleted from
 * `require.cache` to be loaded again, and with each copy of this module all that it has made.
 */
export function leaveParent(module: NodeJS.Module): void {
  const siblings = module.parent?.children
  const index = siblings?.indexOf(module) ?? -1
  if (index >= 0) siblings!.splice(index, 1)
}
