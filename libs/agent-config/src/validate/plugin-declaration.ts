import { ok, err, type Result } from '@plexus/kernel';
import { z } from 'zod';

/** What a plugin says about itself. */
export interface PluginDeclaration {
  readonly id: string;
  /** JSON Schema of `plugins.entries.<id>.config`. */
  readonly configSchema?: unknown;
  /** `memory`: may take the memory slot. */
  readonly kind?: 'memory' | undefined;
  /** Channels it adds. */
  readonly channels?: readonly string[];
}

/** What an adapter says about the settings of its accounts: a zod schema, or a JSON Schema. */
export interface ChannelDeclaration {
  readonly settings?: unknown;
}

/** Makes a checker of a zod schema or a JSON Schema (drafts 4, 7 and 2020-12, without external references); says why it cannot. */
export function checkerOf(schema: unknown): Result<z.ZodType, string> {
  if (schema instanceof z.ZodType) return ok(schema);
  const isSchema = typeof schema === 'boolean' || (typeof schema === 'object' && schema !== null && !Array.isArray(schema));
  if (!isSchema) return err('is neither an object nor a boolean');
  try {
    return ok(z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]));
  } catch (error) {
    return err(error instanceof Error ? error.message : 'cannot be read');
  }
}
