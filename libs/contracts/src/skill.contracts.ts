import { z } from 'zod';
import { Instant } from './common.js';
import { defineRpc } from './define.js';

const domain = 'skill';

export const SkillId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, { error: 'must be [a-z0-9][a-z0-9-]{0,63}' });
export const SkillVersion = z
  .string()
  .max(64)
  .regex(/^\d{1,6}\.\d{1,6}\.\d{1,6}(-[0-9A-Za-z.-]{1,40})?$/, { error: 'must be MAJOR.MINOR.PATCH, with -<pre-release> if you like' });

export const SkillFile = z.object({
  path: z.string().min(1).max(256).describe('Relative, with `/`; never outside the package.'),
  content: z.string().max(1_048_576),
  encoding: z.enum(['utf8', 'base64']).default('utf8'),
});

/** Read from the real package; the names are those of the VM protocol. */
export const SkillInventory = z.object({
  has_skill_md: z.boolean(),
  has_scripts: z.boolean(),
  has_references: z.boolean(),
  script_files: z.array(z.string()),
  reference_files: z.array(z.string()),
});
export const SkillRequires = z.object({
  binaries: z.array(z.string()).describe('Programs that have to be on PATH.'),
  env_vars: z.array(z.string()).describe('Variables that have to be set.'),
});

export const SkillSummary = z.object({
  id: SkillId,
  name: z.string(),
  description: z.string(),
  version: SkillVersion,
  source: z.enum(['builtin', 'tenant']),
  hash: z.string().describe('SHA-256 of the whole package, in hexadecimal.'),
  bytes: z.number().int().min(0),
  files: z.number().int().min(1),
  inventory: SkillInventory,
  requires: SkillRequires,
  createdAt: Instant.optional().describe('Absent for built-ins.'),
});
export type SkillSummary = z.infer<typeof SkillSummary>;

/** The answer to `get_skill_package` of the VM protocol, as it goes over the socket. */
export const SkillPackage = z.object({
  skill_id: SkillId,
  version: SkillVersion,
  hash: z.string().describe('SHA-256 over the files, sorted by path: `<path> NUL <decimal length> NUL <bytes>` of each, in hexadecimal.'),
  files: z.array(SkillFile),
  file_inventory: SkillInventory,
  requires: SkillRequires,
});
export type SkillPackage = z.infer<typeof SkillPackage>;

const upToNewest = SkillVersion.optional().describe('Absent: the highest version.');

export const uploadSkill = defineRpc({
  domain,
  name: 'upload',
  version: 1,
  summary:
    'Stores one version of a skill for the tenant; needs `operator.admin`, because it runs in the VMs of all. Name, version and requirements are read from the front matter of SKILL.md. A version never changes: the same content again is no error, other content is a CONFLICT.',
  data: z.object({ files: z.array(SkillFile).min(1).max(200) }),
  response: z.object({ skill: SkillSummary, created: z.boolean().describe('False: exactly this was there already.') }),
  timeoutMs: 15_000,
  idempotent: true,
  errors: ['CONFLICT', 'PAYLOAD_TOO_LARGE', 'QUOTA_EXCEEDED'],
  examples: [
    { files: [{ path: 'SKILL.md', content: '---\nname: greet\ndescription: Greets politely.\nversion: 1.0.0\n---\nSay hello.\n', encoding: 'utf8' }] },
  ],
});

export const listSkills = defineRpc({
  domain,
  name: 'list',
  version: 1,
  summary: 'The highest version of every skill that the tenant has: its own and the built-in ones. A skill of the tenant hides a built-in of the same name.',
  data: z.object({}),
  response: z.object({ skills: z.array(SkillSummary) }),
  idempotent: true,
  examples: [{}],
});

export const getSkill = defineRpc({
  domain,
  name: 'get',
  version: 1,
  summary: 'Describes one version of a skill, with the text of its SKILL.md and the names of all its files.',
  data: z.object({ id: SkillId, version: upToNewest }),
  response: z.object({
    skill: SkillSummary,
    skillMd: z.string(),
    paths: z.array(z.string()),
    versions: z.array(SkillVersion).describe('All that there are, highest first.'),
  }),
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ id: 'greet' }],
});

export const deleteSkill = defineRpc({
  domain,
  name: 'delete',
  version: 1,
  summary: "Removes one version of a tenant's skill, or all of them; needs `operator.admin`. Built-ins stay.",
  data: z.object({ id: SkillId, version: SkillVersion.optional().describe('Absent: every version.') }),
  response: z.object({ deleted: z.number().int().min(0) }),
  idempotent: true,
  examples: [{ id: 'greet', version: '1.0.0' }],
});

export const skillPackage = defineRpc({
  domain,
  name: 'package',
  version: 1,
  summary: "A whole package, as a VM takes it. `package` goes unchanged into the answer of the VM's `get_skill_package`.",
  data: z.object({ skillId: SkillId, version: upToNewest }),
  response: z.object({ package: SkillPackage }),
  timeoutMs: 15_000,
  idempotent: true,
  errors: ['NOT_FOUND'],
  examples: [{ skillId: 'greet', version: '1.0.0' }],
});
