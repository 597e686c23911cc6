import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { plainError } from './skill-error.js';
import { hashSkillFiles, type SkillBytes, SkillPackageAnswer, skillPathsProblem } from '@plexus/vm-protocol';

/** Beside the files of an installed skill: what was put there. */
const RECEIPT = '.plexus-skill.json';
const MAX_BYTES = 8 * 1024 * 1024;

interface Receipt {
  readonly version: string;
  readonly hash: string;
  readonly paths: readonly string[];
}

export interface InstalledSkill {
  readonly folder: string;
  readonly version: string;
  readonly paths: readonly string[];
}

/** What was asked for, and of which hash it has to be where the mesh has said so. */
export interface WantedSkill {
  readonly id: string;
  readonly version: string;
  readonly hash?: string | undefined;
}

/** The copy that is there already, when it is whole and the one that is wanted. */
export async function findInstalled(folder: string, wanted: WantedSkill): Promise<InstalledSkill | undefined> {
  if (wanted.hash === undefined) return undefined;
  try {
    const receipt = JSON.parse(await readFile(path.join(folder, RECEIPT), 'utf8')) as Receipt;
    if (receipt.hash !== wanted.hash || receipt.version !== wanted.version) return undefined;
    const files = await Promise.all(receipt.paths.map(async (file) => ({ path: file, bytes: await readFile(path.join(folder, file)) })));
    return hashSkillFiles(files) === wanted.hash ? { folder, version: receipt.version, paths: receipt.paths } : undefined;
  } catch {
    // Never installed, or changed by hand: it is fetched again, which says what is wrong if that cannot be done.
    return undefined;
  }
}

/** Checks an answer to `get_skill_package` and returns its files. Throws a sentence for the model. */
export function readPackage(answer: unknown, wanted: WantedSkill): readonly SkillBytes[] {
  const parsed = SkillPackageAnswer.safeParse(answer);
  if (!parsed.success) throw plainError('the mesh answered with something that is no package of a skill');
  const { skill_id: id, version, files } = parsed.data.package;
  if (id !== wanted.id || version !== wanted.version) throw plainError(`the mesh sent ${id} ${version} instead of ${wanted.id} ${wanted.version}`);
  const problem = skillPathsProblem(files.map((file) => file.path));
  if (problem !== undefined) throw plainError(`a path of the package ${problem}`);
  const decoded = files.map(({ path: file, content, encoding }) => ({ path: file, bytes: Buffer.from(content, encoding === 'base64' ? 'base64' : 'utf8') }));
  if (decoded.reduce((sum, { bytes }) => sum + bytes.length, 0) > MAX_BYTES) throw plainError('the package is too large');
  if (!decoded.some((file) => file.path === 'SKILL.md')) throw plainError('the package has no SKILL.md');
  const expected = wanted.hash ?? parsed.data.package.hash;
  if (expected !== undefined && hashSkillFiles(decoded) !== expected) throw plainError('the package is not the one that was announced: its hash differs');
  return decoded;
}

/** Puts a skill into its folder, whole or not at all; what was there before is replaced. */
export async function install(folder: string, wanted: WantedSkill, files: readonly SkillBytes[]): Promise<InstalledSkill> {
  const beside = `${folder}.${randomBytes(6).toString('hex')}`;
  const [incoming, outgoing] = [`${beside}.new`, `${beside}.old`];
  const paths = files.map((file) => file.path).sort();
  try {
    for (const { path: file, bytes } of files) {
      const target = path.join(incoming, file);
      await mkdir(path.dirname(target), { recursive: true });
      await writeFile(target, bytes, { mode: isScript(file, bytes) ? 0o755 : 0o644, flag: 'wx' });
    }
    const receipt: Receipt = { version: wanted.version, hash: hashSkillFiles(files), paths };
    await writeFile(path.join(incoming, RECEIPT), JSON.stringify(receipt), { flag: 'wx' });
    await rename(folder, outgoing).catch(unlessMissing);
    await rename(incoming, folder);
  } finally {
    await Promise.all([incoming, outgoing].map((leftover) => rm(leftover, { recursive: true, force: true })));
  }
  return { folder, version: wanted.version, paths };
}

function isScript(file: string, bytes: Uint8Array): boolean {
  return file.startsWith('scripts/') || (bytes[0] === 0x23 && bytes[1] === 0x21);
}

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
