import { type TenantConfigInput, validateTenantConfig } from '@plexus/agent-config';
import type { Place } from './reading.js';

/** One value of the result and where it came from. */
interface Written {
  readonly value: unknown;
  readonly source: Place;
}

interface Node {
  written?: Written;
  readonly below: Map<string, Node>;
}

/** A part of a list: lists are written item by item, each under a name of its own that stays when another item goes. */
export const item = (index: number): string => `#${index}`;

/**
 * The tenant's document while it is being put together. It remembers where every value came from, so that what the rules of the document refuse goes
 * back to the report instead of stopping the whole.
 */
export class Draft {
  private readonly root: Node = { below: new Map() };

  /** Writes a value; undefined writes nothing. True when something was written. */
  put(target: readonly string[], value: unknown, source: Place): boolean {
    if (value === undefined) return false;
    let node = this.root;
    for (const key of target) {
      const next = node.below.get(key) ?? { below: new Map() };
      node.below.set(key, next);
      node = next;
    }
    node.written = { value, source };
    return true;
  }

  /** The document, valid for certain. What had to go for that is left in the source, with the words of the rule. */
  finish(): TenantConfigInput {
    for (;;) {
      const document = contentOf(this.root) as TenantConfigInput;
      const { issues } = validateTenantConfig(document ?? {});
      if (issues.length === 0) return document ?? {};
      const left = new Set<Written>();
      for (const { path, message } of issues) {
        for (const written of this.remove(path.split('.'))) {
          if (!left.has(written)) written.source.leave(message);
          left.add(written);
        }
      }
      if (left.size === 0) throw new Error(`the result breaks a rule that belongs to none of its parts: ${issues[0]?.path} ${issues[0]?.message}`);
    }
  }

  /** Takes out the deepest part that the path leads to. */
  private remove(path: readonly string[]): Written[] {
    let [parent, name, node] = [undefined as Node | undefined, '', this.root];
    for (const key of path) {
      const child = isList(node) ? [...node.below.keys()][Number(key)] : node.below.has(key) ? key : undefined;
      if (child === undefined) break;
      [parent, name, node] = [node, child, node.below.get(child) as Node];
    }
    parent?.below.delete(name);
    return parent === undefined ? [] : allOf(node);
  }
}

const isList = ({ below }: Node): boolean => [...below.keys()].some((key) => key.startsWith('#'));

function allOf(node: Node): Written[] {
  return [...(node.written === undefined ? [] : [node.written]), ...[...node.below.values()].flatMap(allOf)];
}

/** Undefined for a part of which nothing is left. */
function contentOf(node: Node): unknown {
  if (node.written !== undefined) return node.written.value;
  const parts = [...node.below].map(([key, child]) => [key, contentOf(child)] as const).filter(([, value]) => value !== undefined);
  if (parts.length === 0) return undefined;
  return isList(node) ? parts.map(([, value]) => value) : Object.fromEntries(parts);
}
