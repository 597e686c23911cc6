import { plexusError, type skillContracts } from '@plexus/contracts';
import type { SkillBytes } from '@plexus/vm-protocol';
import { inventoryOf, PACKAGE_LIMITS, readSkill, type SkillManifest, type SkillSummary, textOf } from '../domain/skill-manifest.js';
import { compareVersions, highest } from '../domain/skill-version.js';

/** A version of a skill that ships with Plexus. */
export interface BuiltInSkill {
  readonly manifest: SkillManifest;
  readonly files: readonly SkillBytes[];
}

/** Rows of skills. */
export interface SkillStore {
  list(tenant: string): Promise<SkillSummary[]>;
  versions(tenant: string, id: string): Promise<SkillSummary[]>;
  /** `full`: the tenant has as many versions as it may. */
  insert(tenant: string, skill: SkillManifest, maxVersions: number): Promise<'inserted' | 'exists' | 'full'>;
  /** Hashes of the versions that were removed. */
  delete(tenant: string, id: string, version: string | undefined): Promise<string[]>;
}

/** Packages by their hash, for each tenant its own. */
export interface SkillPackages {
  put(tenant: string, hash: string, files: readonly SkillBytes[]): Promise<void>;
  get(tenant: string, hash: string): Promise<readonly SkillBytes[] | undefined>;
  /** Removes what is there now when the function is called; what is put after `mark` stays. */
  mark(tenant: string, hash: string): Promise<() => Promise<void>>;
}

export interface SkillsOptions {
  readonly store: SkillStore;
  readonly packages: SkillPackages;
  readonly builtIns: readonly BuiltInSkill[];
  readonly maxVersionsPerTenant: number;
  /** A tenant's skills are other ones now. */
  readonly onChange: (tenant: string) => void;
}

/** The skills of tenants and the built-in ones. A version never changes; a skill of the tenant hides a built-in of the same name. */
export class Skills {
  constructor(private readonly options: SkillsOptions) {}

  async upload(tenant: string, files: readonly SkillBytes[]): Promise<{ readonly skill: SkillSummary; readonly created: boolean }> {
    const manifest = readSkill(files);
    const before = await this.find(tenant, manifest);
    if (before !== undefined) return { skill: sameOr(before, manifest), created: false };
    // Asked before anything is stored: files of a version that has no row would stay for ever.
    if ((await this.options.store.list(tenant)).length >= this.options.maxVersionsPerTenant) throw this.full();
    // Files first: a row without its files would be a skill that no VM can load.
    await this.options.packages.put(tenant, manifest.hash, files);
    const result = await this.options.store.insert(tenant, manifest, this.options.maxVersionsPerTenant);
    if (result === 'full') throw this.full();
    const skill = await this.find(tenant, manifest);
    if (skill === undefined) throw plexusError('CONFLICT', { message: 'The version was deleted while it was stored.' });
    if (result === 'inserted') this.options.onChange(tenant);
    return { skill: sameOr(skill, manifest), created: result === 'inserted' };
  }

  /** The highest version of each, by name. */
  async list(tenant: string): Promise<SkillSummary[]> {
    const own = new Map<string, SkillSummary[]>();
    for (const skill of await this.options.store.list(tenant)) own.set(skill.id, [...(own.get(skill.id) ?? []), skill]);
    const best = [...own.values()].map((versions) => highest(versions) as SkillSummary);
    const builtIns = this.builtInIds()
      .filter((id) => !own.has(id))
      .map((id) => summaryOf(this.builtIn(id)[0] as BuiltInSkill));
    return [...best, ...builtIns].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async get(tenant: string, id: string, version?: string): Promise<{ skill: SkillSummary; skillMd: string; paths: string[]; versions: string[] }> {
    const { skill, versions } = await this.choose(tenant, id, version);
    const files = await this.filesOf(tenant, skill);
    const skillMd = files.find(({ path }) => path === 'SKILL.md');
    return { skill, skillMd: skillMd === undefined ? '' : textOf(skillMd), paths: files.map(({ path }) => path).sort(), versions };
  }

  async package(tenant: string, id: string, version?: string): Promise<skillContracts.SkillPackage> {
    const { skill } = await this.choose(tenant, id, version);
    const files = await this.filesOf(tenant, skill);
    return {
      skill_id: skill.id,
      version: skill.version,
      hash: skill.hash,
      files: files.map(encoded),
      file_inventory: inventoryOf(files),
      requires: skill.requires,
    };
  }

  /** How many versions were removed. Built-ins stay. */
  async delete(tenant: string, id: string, version?: string): Promise<number> {
    const known = (await this.options.store.versions(tenant, id)).filter((skill) => version === undefined || skill.version === version);
    const marks = new Map(await Promise.all(known.map(async ({ hash }) => [hash, await this.options.packages.mark(tenant, hash)] as const)));
    const hashes = await this.options.store.delete(tenant, id, version);
    await Promise.all(hashes.map((hash) => marks.get(hash)?.()));
    if (hashes.length > 0) this.options.onChange(tenant);
    return hashes.length;
  }

  private async choose(tenant: string, id: string, version: string | undefined): Promise<{ readonly skill: SkillSummary; readonly versions: string[] }> {
    const own = await this.options.store.versions(tenant, id);
    const all = own.length > 0 ? own : this.builtIn(id).map(summaryOf);
    const skill = version === undefined ? highest(all) : all.find((one) => one.version === version);
    if (skill === undefined) {
      throw plexusError('NOT_FOUND', {
        message: version === undefined || all.length === 0 ? `There is no skill ${id}.` : `The skill ${id} has no version ${version}.`,
      });
    }
    return { skill, versions: all.map((one) => one.version).sort((a, b) => compareVersions(b, a)) };
  }

  private full(): Error {
    return plexusError('QUOTA_EXCEEDED', { message: `The tenant has ${this.options.maxVersionsPerTenant} versions of skills already; delete some.` });
  }

  private async find(tenant: string, { id, version }: SkillManifest): Promise<SkillSummary | undefined> {
    return (await this.options.store.versions(tenant, id)).find((skill) => skill.version === version);
  }

  private async filesOf(tenant: string, skill: SkillSummary): Promise<readonly SkillBytes[]> {
    if (skill.source === 'builtin') return (this.builtIn(skill.id).find(({ manifest }) => manifest.hash === skill.hash) as BuiltInSkill).files;
    const files = await this.options.packages.get(tenant, skill.hash);
    if (files === undefined)
      throw plexusError('UNAVAILABLE', { message: `The files of ${skill.id} ${skill.version} are not in the object store; upload it again.` });
    return files;
  }

  private builtIn(id: string): BuiltInSkill[] {
    return this.options.builtIns.filter(({ manifest }) => manifest.id === id).sort((a, b) => compareVersions(b.manifest.version, a.manifest.version));
  }

  private builtInIds(): string[] {
    return [...new Set(this.options.builtIns.map(({ manifest }) => manifest.id))];
  }
}

function summaryOf({ manifest }: BuiltInSkill): SkillSummary {
  return { ...manifest, source: 'builtin' };
}

function sameOr(before: SkillSummary, now: SkillManifest): SkillSummary {
  if (before.hash === now.hash) return before;
  throw plexusError('CONFLICT', {
    message: `${now.id} ${now.version} is there with other content, and a version never changes: raise the version in SKILL.md.`,
  });
}

function encoded({ path, bytes }: SkillBytes): skillContracts.SkillPackage['files'][number] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  // Control characters take six bytes each in JSON: such a file would outgrow its message.
  const isText = Buffer.from(text).equals(buffer) && !/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(text);
  return isText ? { path, content: text, encoding: 'utf8' } : { path, content: buffer.toString('base64'), encoding: 'base64' };
}

/** The bytes of uploaded files. Throws INVALID_REQUEST for what is no base64. */
export function decodeFiles(files: readonly { readonly path: string; readonly content: string; readonly encoding: 'utf8' | 'base64' }[]): SkillBytes[] {
  return files.map(({ path, content, encoding }) => {
    const bytes = Buffer.from(content, encoding);
    if (encoding === 'base64' && bytes.toString('base64') !== content.replaceAll(/\s/g, '')) {
      throw plexusError('INVALID_REQUEST', { message: `The content of ${JSON.stringify(path.slice(0, 80))} is no base64.` });
    }
    if (bytes.length > PACKAGE_LIMITS.bytes) throw plexusError('PAYLOAD_TOO_LARGE', { message: `${JSON.stringify(path.slice(0, 80))} is too large.` });
    return { path, bytes };
  });
}
