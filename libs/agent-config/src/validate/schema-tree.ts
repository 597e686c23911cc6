import { z } from 'zod';
import { TenantConfig } from '../schema/tenant-config.js';

/** The parts of a JSON Schema that we read. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly SchemaNode[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly format?: string;
}

let cached: SchemaNode | undefined;

/** The schema of a tenant document as JSON Schema, as people write it: before defaults. */
export function tenantSchema(): SchemaNode {
  cached ??= z.toJSONSchema(TenantConfig, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as SchemaNode;
  return cached;
}

/** Keys that an object at this path may have; empty where any key is legal or the path leads nowhere. */
export function keysAt(path: readonly string[]): string[] {
  let nodes: SchemaNode[] = [tenantSchema()];
  for (const segment of path) nodes = nodes.flatMap((node) => alternatives(node)).flatMap((node) => step(node, segment));
  return [...new Set(nodes.flatMap((node) => alternatives(node)).flatMap((node) => Object.keys(node.properties ?? {})))];
}

/** The node itself, or what it offers to choose from. */
export function alternatives(node: SchemaNode): readonly SchemaNode[] {
  return node.anyOf ?? [node];
}

function step(node: SchemaNode, segment: string): SchemaNode[] {
  if (node.properties !== undefined && Object.hasOwn(node.properties, segment)) return [node.properties[segment] as SchemaNode];
  if (/^\d+$/.test(segment) && node.items !== undefined) return [node.items];
  return typeof node.additionalProperties === 'object' ? [node.additionalProperties] : [];
}
