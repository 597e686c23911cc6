import { z } from 'zod';
import { dockerSettings } from './docker/settings.js';
import { externalSettings } from './external/settings.js';
import { kubernetesSettings } from './kubernetes/settings.js';
import { localSettings } from './local/settings.js';

const NAMES = ['local', 'external', 'docker', 'kubernetes'] as const;
export type ConfiguredProvider = (typeof NAMES)[number];

/** `PROVIDER`: which are enabled; the first is the default. */
const provider = z
  .string()
  .default('local')
  .transform((text) => text.split(',').map((name) => name.trim()))
  .pipe(z.tuple([z.enum(NAMES)], z.enum(NAMES)).refine((names) => new Set(names).size === names.length, { error: 'names a provider twice' }))
  .describe(`Where VMs run: ${NAMES.join(', ')}. Several, comma-separated: templates name theirs, the first is the default.`);

/** Settings of all providers. Only those of enabled ones are looked at any closer. */
export const providerSettings = z.object({
  PROVIDER: provider,
  ...localSettings.shape,
  ...externalSettings.shape,
  ...dockerSettings.shape,
  ...kubernetesSettings.shape,
});
export type ProviderSettings = z.output<typeof providerSettings>;
