import { readFileSync } from 'node:fs';
import { ConfigurationError, parseJson } from '@plexus/kernel';
import { z } from 'zod';
import { ISOLATION_LEVELS } from './application/provider-port.js';

const Name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: 'must be lower-case letters, digits and dashes' });

const Template = z.strictObject({
  name: Name,
  provider: z.string().min(1).max(64).optional().describe('Absent: the first of PROVIDER.'),
  isolationMin: z.enum(ISOLATION_LEVELS).default('none'),
  labels: z.record(z.string().max(63), z.string().max(63)).default({}).describe('A host must have all of them.'),
  idleMs: z.number().int().min(1_000).optional(),
  maxLifeMs: z.number().int().min(60_000).optional(),
  spec: z.record(z.string(), z.unknown()).default({}).describe('Image, command, resources, network, environment: as the provider understands them.'),
});

const Pool = z.strictObject({
  id: Name,
  tenant: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/),
  template: Name.default('default'),
  size: z.number().int().min(0).max(1_000),
  maxAgeMs: z
    .number()
    .int()
    .min(60_000)
    .default(6 * 3_600_000),
  updatePolicy: z.enum(['recreate', 'keep']).default('recreate'),
});

const Declared = z.strictObject({ templates: z.array(Template).max(100).default([]), pools: z.array(Pool).max(1_000).default([]) });
export type DeclaredTemplates = z.output<typeof Declared>;

/** Templates and warm pools of the platform, from a JSON file; `default` is there in any case, and one of the external provider where that is `enabled`. Throws `ConfigurationError` that names every violation. */
export function loadTemplates(file: string | undefined, enabled: readonly string[]): DeclaredTemplates {
  const declared = file === undefined ? Declared.parse({}) : read(file);
  const names = declared.templates.map(({ name }) => name);
  if (new Set(names).size !== names.length) throw new ConfigurationError('VM_TEMPLATES_FILE names a template twice');
  const missing = declared.pools.filter(({ template }) => template !== 'default' && !names.includes(template));
  if (missing.length > 0) throw new ConfigurationError(`VM_TEMPLATES_FILE: no template for the pools ${missing.map(({ id }) => id).join(', ')}`);
  const templates = [...declared.templates];
  if (!names.includes('default')) templates.push(Template.parse({ name: 'default' }));
  const hasExternal = enabled[0] === 'external' || templates.some(({ provider }) => provider === 'external');
  if (enabled.includes('external') && !hasExternal) templates.push(Template.parse({ name: 'external', provider: 'external' }));
  return { ...declared, templates };
}

function read(file: string): DeclaredTemplates {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigurationError(`VM_TEMPLATES_FILE ${file} cannot be read`, { cause });
  }
  const json = parseJson(text, { maxBytes: 1_048_576 });
  if (!json.ok) throw new ConfigurationError(`VM_TEMPLATES_FILE ${file} is no JSON: ${json.error.message}`);
  const parsed = Declared.safeParse(json.value);
  if (parsed.success) return parsed.data;
  throw new ConfigurationError(
    `VM_TEMPLATES_FILE ${file}: ${parsed.error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`).join('; ')}`,
  );
}
