import { lstat, realpath } from 'node:fs/promises';
import path from 'node:path';

/** A place inside the workspace, links resolved, or why it is none, in words for the model. */
export type Inside = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly reason: string };

const isWithin = (root: string, target: string): boolean => target === root || target.startsWith(root.endsWith(path.sep) ? root : root + path.sep);

/**
 * Resolves a path that a model gave against the workspace. Neither `..` nor an absolute path nor a link leads out of it. The target need
 * not exist; then the nearest folder above it that does must be inside.
 */
export async function resolveInside(workspace: string, given: string): Promise<Inside> {
  if (given.includes('\0')) return { ok: false, reason: 'The path holds a character that no path may hold.' };
  const root = await realpath(workspace);
  const target = path.resolve(root, given);
  const outside = { ok: false, reason: `“${given}” is outside of the workspace. Use paths relative to it.` } as const;
  if (!isWithin(root, target)) {
    // The workspace may have been named by a path with links in it.
    const named = path.resolve(workspace, given);
    return isWithin(path.resolve(workspace), named) ? resolveInside(root, path.relative(path.resolve(workspace), named)) : outside;
  }
  const real = await nearestReal(target);
  if (!real) return { ok: false, reason: `“${given}” goes through a link that leads nowhere, or in a circle.` };
  return isWithin(root, real) ? { ok: true, path: real } : outside;
}

/** The path with all links resolved; where it does not exist, as far as it does and the rest as it is. */
async function nearestReal(target: string): Promise<string | undefined> {
  const missing: string[] = [];
  for (let at = target; ; at = path.dirname(at)) {
    try {
      return path.join(await realpath(at), ...missing);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' && (await isLink(at))) return undefined;
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || path.dirname(at) === at) return undefined;
      missing.unshift(path.basename(at));
    }
  }
}

/** A link whose target does not exist: writing through it would create that. */
async function isLink(at: string): Promise<boolean> {
  try {
    return (await lstat(at)).isSymbolicLink();
  } catch {
    // Nothing is there at all.
    return false;
  }
}
