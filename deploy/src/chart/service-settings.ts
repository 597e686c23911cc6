import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { baseConfig } from '@plexus/service-kit';
import { z } from 'zod';

/** Where each program of the chart declares its settings. Read as compiled files: nothing here imports a service. */
const DECLARATIONS: Readonly<Record<string, readonly [file: string, name: string]>> = {
  gateway: ['services/gateway/dist/src/config.js', 'gatewayConfig'],
  routing: ['services/routing/dist/src/config.js', 'routingConfig'],
  push: ['services/push/dist/src/config.js', 'pushConfig'],
  memory: ['services/memory/dist/src/config.js', 'memoryConfig'],
  scheduler: ['services/scheduler/dist/src/config.js', 'schedulerConfig'],
  'channel-webhook': ['services/channels/dist/src/kit/config.js', 'channelConfig'],
  'channel-telegram': ['services/channels/dist/src/kit/config.js', 'channelConfig'],
  'channel-slack': ['services/channels/dist/src/kit/config.js', 'channelConfig'],
  'channel-upstream': ['services/channels/dist/src/kit/config.js', 'channelConfig'],
};

/** Names of the services that the chart and the compose file run. */
export const SERVICE_NAMES: readonly string[] = Object.keys(DECLARATIONS);

/** All settings of each service, those of every service included, by variable. `root` is the repository; its services must be built. */
export async function serviceSettings(root: string): Promise<Map<string, z.ZodObject>> {
  const found = new Map<string, z.ZodObject>();
  for (const [service, [file, name]] of Object.entries(DECLARATIONS)) {
    const module = (await import(pathToFileURL(path.join(root, file)).href)) as Record<string, { shape?: z.ZodRawShape }>;
    const shape = module[name]?.shape;
    if (shape === undefined) throw new Error(`${file} exports no schema ${name}`);
    found.set(service, baseConfig.extend(shape));
  }
  return found;
}

export interface SettingSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description: string;
}

/** One variable as the schema of values knows it: flags may be written as booleans, JSON as what it stands for. Patterns are left to the service. */
export function settingSchema(field: z.ZodType): SettingSchema {
  const {
    type,
    enum: choices,
    minimum,
    maximum,
    default: fallback,
    description = '',
  } = z.toJSONSchema(field, { io: 'input', unrepresentable: 'any' }) as SettingSchema;
  const about = { description, ...(fallback !== undefined && { default: fallback }) };
  if (choices?.includes('0') && choices.includes('1')) return { ...about, enum: [...choices, 0, 1, false, true] };
  if (choices !== undefined) return { ...about, enum: choices };
  if (type === 'integer' || type === 'number') return { ...about, type, ...(minimum !== undefined && { minimum }), ...(maximum !== undefined && { maximum }) };
  // A default that names a place of the machine that builds this would be wrong on every other one.
  const portable = typeof fallback === 'string' && path.isAbsolute(fallback) ? { description } : about;
  return { ...portable, type: /\bJSON\b/.test(description) ? ['string', 'array', 'object'] : 'string' };
}
