import { plexusError, skillContracts } from '@plexus/contracts';
import { hashSkillFiles, type SkillBytes, skillPathsProblem } from '@plexus/vm-protocol';
import { type FrontMatter, FrontMatterError, type FrontMatterValue, readFrontMatter } from './front-matter.js';

export type SkillSummary = skillContracts.SkillSummary;
/** A skill as its files say. */
export type SkillManifest = Omit<SkillSummary, 'source' | 'createdAt'>;

/** Of one package. It has to fit one message, in base64 and with its names. */
export const PACKAGE_LIMITS = Object.freeze({ files: 200, bytes: 512 * 1024, skillMdBytes: 128 * 1024 });
const MAX_REQUIREMENTS = 50;
const BINARY = /^[A-Za-z0-9_+.-]{1,128}$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Reads a package: what SKILL.md says, and what is really there. Throws INVALID_REQUEST or PAYLOAD_TOO_LARGE with what has to change. */
export function readSkill(files: readonly SkillBytes[]): SkillManifest {
  const problem = skillPathsProblem(files.map(({ path }) => path));
  if (problem !== undefined) throw invalid(`The package cannot be stored: ${problem}.`);
  const bytes = files.reduce((sum, file) => sum + file.bytes.byteLength, 0);
  if (files.length > PACKAGE_LIMITS.files || bytes > PACKAGE_LIMITS.bytes) {
    throw plexusError('PAYLOAD_TOO_LARGE', {
      message: `A package has at most ${PACKAGE_LIMITS.files} files and ${PACKAGE_LIMITS.bytes} bytes; this one has ${files.length} and ${bytes}.`,
    });
  }
  const { name, description, version, requires } = described(files);
  return { id: name, name, description, version, hash: hashSkillFiles(files), bytes, files: files.length, inventory: inventoryOf(files), requires };
}

/** What of the package is there: nothing is claimed that no file proves. */
export function inventoryOf(files: readonly SkillBytes[]): SkillSummary['inventory'] {
  const below = (folder: string): string[] =>
    files
      .map(({ path }) => path)
      .filter((path) => path.startsWith(folder))
      .sort();
  const [scripts, references] = [below('scripts/'), below('references/')];
  return {
    has_skill_md: files.some(({ path }) => path === 'SKILL.md'),
    has_scripts: scripts.length > 0,
    has_references: references.length > 0,
    script_files: scripts,
    reference_files: references,
  };
}

/** The text of a file. Throws INVALID_REQUEST when it is no UTF-8. */
export function textOf({ path, bytes }: SkillBytes): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid(`${path} is not UTF-8.`);
  }
}

function described(files: readonly SkillBytes[]): Pick<SkillManifest, 'name' | 'description' | 'version' | 'requires'> {
  const file = files.find(({ path }) => path === 'SKILL.md');
  if (file === undefined) throw invalid('The package has no SKILL.md at its top.');
  if (file.bytes.byteLength > PACKAGE_LIMITS.skillMdBytes)
    throw plexusError('PAYLOAD_TOO_LARGE', { message: `SKILL.md is larger than ${PACKAGE_LIMITS.skillMdBytes} bytes; move parts of it into references/.` });
  const data = frontMatterOf(textOf(file));
  return {
    name: checked(data, 'name', skillContracts.SkillId.safeParse(data.name)),
    description: textField(data, 'description', 1_024),
    version: checked(data, 'version', skillContracts.SkillVersion.safeParse(data.version)),
    requires: requirementsOf(data.requires ?? null),
  };
}

function frontMatterOf(text: string): FrontMatter {
  try {
    return readFrontMatter(text).data;
  } catch (error) {
    if (error instanceof FrontMatterError) throw invalid(`SKILL.md, ${error.message}.`);
    throw error;
  }
}

function checked(
  data: FrontMatter,
  key: string,
  parsed: { success: true; data: string } | { success: false; error: { issues: { message: string }[] } },
): string {
  if (parsed.success) return parsed.data;
  if (data[key] === undefined) throw invalid(`The front matter of SKILL.md has no ${key}${key === 'version' ? ': add, for example, version: 1.0.0' : ''}.`);
  throw invalid(`The ${key} ${JSON.stringify(data[key]).slice(0, 80)} in SKILL.md ${parsed.error.issues[0]?.message ?? 'is not valid'}.`);
}

function textField(data: FrontMatter, key: string, maximum: number): string {
  const value = data[key];
  const text = typeof value === 'string' ? value.trim() : '';
  if (text === '') throw invalid(`The front matter of SKILL.md has no ${key}.`);
  if (text.length > maximum) throw invalid(`The ${key} in SKILL.md is longer than ${maximum} characters.`);
  return text;
}

function requirementsOf(requires: FrontMatterValue): SkillSummary['requires'] {
  if (requires === null) return { binaries: [], env_vars: [] };
  if (typeof requires !== 'object' || Array.isArray(requires)) throw invalid('requires in SKILL.md has to be a map with binaries and env_vars.');
  const map = requires as FrontMatter;
  const unknown = Object.keys(map).find((key) => key !== 'binaries' && key !== 'env_vars');
  // A misspelt requirement would be no requirement.
  if (unknown !== undefined) throw invalid(`requires in SKILL.md knows binaries and env_vars, not ${JSON.stringify(unknown)}.`);
  return { binaries: names(map.binaries, 'binaries', BINARY), env_vars: names(map.env_vars, 'env_vars', VARIABLE) };
}

function names(value: FrontMatterValue | undefined, key: string, pattern: RegExp): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > MAX_REQUIREMENTS)
    throw invalid(`requires.${key} in SKILL.md has to be a list of at most ${MAX_REQUIREMENTS} names.`);
  const list = (value as FrontMatterValue[]).map((name) => String(name));
  const wrong = list.find((name) => !pattern.test(name));
  if (wrong !== undefined) throw invalid(`requires.${key} in SKILL.md: ${JSON.stringify(wrong.slice(0, 80))} is no name.`);
  return [...new Set(list)];
}

function invalid(message: string): Error {
  return plexusError('INVALID_REQUEST', { message });
}
