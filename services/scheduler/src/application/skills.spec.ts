import type { SkillSummary } from '../domain/skill-manifest.js';
import { Skills } from './skills.js';

const files = (version: string, name = 'greet') => [
  { path: 'SKILL.md', bytes: Buffer.from(`---\nname: ${name}\ndescription: Greets.\nversion: ${version}\n---\nHello.\n`) },
];

/** Skills of one tenant in memory, at most two versions; `kept` are the hashes whose files are stored. */
function world() {
  const rows: SkillSummary[] = [];
  const kept = new Set<string>();
  const skills = new Skills({
    store: {
      list: async () => rows,
      versions: async (_tenant, id) => rows.filter((row) => row.id === id),
      insert: async (_tenant, manifest, maxVersions) => {
        if (rows.length >= maxVersions) return 'full';
        rows.push({ ...manifest, source: 'tenant' });
        return 'inserted';
      },
      delete: async () => [],
    },
    packages: { put: async (_tenant, hash) => void kept.add(hash), get: async () => [], mark: async () => async () => undefined },
    builtIns: [],
    maxVersionsPerTenant: 2,
    onChange: () => undefined,
  });
  return { skills, rows, kept };
}

describe('a tenant that has as many skills as it may', () => {
  it('leaves no files of further ones behind, whatever it tries', async () => {
    const { skills, rows, kept } = world();
    for (const version of ['1.0.0', '1.1.0']) await skills.upload('acme', files(version));
    for (const version of ['1.2.0', '1.3.0']) await expect(skills.upload('acme', files(version))).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect([...kept]).toEqual(rows.map(({ hash }) => hash));
    expect(await skills.upload('acme', files('1.1.0'))).toMatchObject({ created: false });
  });
});
