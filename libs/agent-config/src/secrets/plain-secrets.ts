import { isSecretRef } from './secret-ref.js';
import { isSecretName, looksSecret } from './secret-names.js';

const MAX_DEPTH = 64;

/** A place where a secret itself stands instead of a reference to it. */
export interface PlainSecret {
  readonly path: (string | number)[];
  readonly message: string;
}

/** Secrets written into parts of the document that have no schema of ours: settings of channels and plugins, and variables. Expects any shape. */
export function unsafeSecrets(document: unknown): PlainSecret[] {
  const found: PlainSecret[] = [];
  for (const [channel, settings] of members(member(document, 'channels'))) {
    for (const [account, { settings: own }] of members(member(settings, 'accounts')).map(
      ([id, value]) => [id, { settings: member(value, 'settings') }] as const,
    )) {
      search(own, ['channels', channel, 'accounts', account, 'settings'], found);
    }
  }
  for (const [plugin, entry] of members(member(member(document, 'plugins'), 'entries')))
    search(member(entry, 'config'), ['plugins', 'entries', plugin, 'config'], found);
  search(member(document, 'env'), ['env'], found);
  return found;
}

function search(root: unknown, at: (string | number)[], found: PlainSecret[]): void {
  let level = [{ value: root, path: at, secret: false }];
  for (let depth = 0; level.length > 0 && depth < MAX_DEPTH; depth++) {
    const below: typeof level = [];
    for (const { value, path, secret } of level) {
      if (typeof value === 'string') {
        if (value === '' || isSecretRef(value)) continue;
        if (secret || looksSecret(value)) found.push({ path, message: 'holds a secret; write a reference to it (${NAME}, {env}, {file} or {sealed})' });
      } else if (secret && isSecretRef(value)) {
      } else if (typeof value === 'number' && secret) {
        found.push({ path, message: 'holds a secret; write a reference to it (${NAME}, {env}, {file} or {sealed})' });
      } else {
        for (const [key, inner] of members(value))
          below.push({ value: inner, path: [...path, Array.isArray(value) ? Number(key) : key], secret: Array.isArray(value) ? secret : isSecretName(key) });
      }
    }
    level = below;
  }
}

function members(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}
