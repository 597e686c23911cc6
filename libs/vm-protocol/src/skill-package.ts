import { createHash } from 'node:crypto';
import { isStorableText } from '@plexus/kernel';
import { z } from 'zod';

/** The answer to `get_skill_package`. Unknown fields pass through: a plain mesh may say more, or no hash. */
export const SkillPackageAnswer = z.looseObject({
  package: z.looseObject({
    skill_id: z.string().min(1).max(128),
    version: z.string().min(1).max(128),
    hash: z.string().max(128).optional(),
    files: z.array(z.looseObject({ path: z.string(), content: z.string(), encoding: z.enum(['utf8', 'base64']).default('utf8') })).max(1_000),
  }),
});

/** One file of a skill. */
export interface SkillBytes {
  /** Relative, with `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

const MAX_PATH_BYTES = 256;
const MAX_DEPTH = 8;

/** Why a path must not be part of a package; undefined when it may: relative, with `/`, plain segments, never outside. */
export function skillPathProblem(path: string): string | undefined {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `is longer than ${MAX_PATH_BYTES} bytes`;
  if (/[\u0000-\u001f\u007f\\:*?"<>|]/.test(path) || !isStorableText(path)) return 'has characters that a file name must not have';
  const segments = path.split('/');
  if (segments.length > MAX_DEPTH) return `is deeper than ${MAX_DEPTH} folders`;
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return 'is not a plain relative path';
  if (segments.some((segment) => segment.endsWith('.') || segment.endsWith(' ') || segment.startsWith(' ')))
    return 'has a segment that ends in a dot or a space';
  return undefined;
}

/** Why these paths cannot be one folder, on any file system: one that is not allowed, one twice (in whatever case), a file that is also a folder. */
export function skillPathsProblem(paths: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (const path of paths) {
    const problem = skillPathProblem(path);
    if (problem !== undefined) return `${JSON.stringify(path.slice(0, 80))} ${problem}`;
    const key = path.normalize('NFC').toLowerCase();
    if (seen.has(key)) return `${JSON.stringify(path)} is there twice`;
    seen.add(key);
  }
  for (const key of seen) {
    for (let at = key.indexOf('/'); at >= 0; at = key.indexOf('/', at + 1)) {
      if (seen.has(key.slice(0, at))) return `${JSON.stringify(key.slice(0, at))} is a file and a folder`;
    }
  }
  return undefined;
}

/** SHA-256 in hexadecimal over the files sorted by path: `<path> NUL <decimal length> NUL <bytes>` of each. */
export function hashSkillFiles(files: readonly SkillBytes[]): string {
  const hash = createHash('sha256');
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  for (const { path, bytes } of sorted) hash.update(`${path}\0${bytes.byteLength}\0`).update(bytes);
  return hash.digest('hex');
}
