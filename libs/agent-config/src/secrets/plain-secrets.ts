import { isSecretName, looksSecret } from './secret-names.js';
import { isSecretRef } from './secret-ref.js';

const MAX_DEPTH = 64;
const MESSAGE = `holds a secret; write a reference to it (\${NAME}, {env}, {file} or {sealed})`;
/** Parts of the document whose names are free, so that no schema of ours says what is a secret. `*` stands for any key or index. */
const FREE_PARTS = [
  'env',
  'channels.*.accounts.*.settings',
  'plugins.entries.*.config',
  'mcp.servers.*.env',
  'mcp.servers.*.headers',
  'mcp.servers.*.args',
  'mcp.servers.*.url',
  'agents.defaults.sandbox.docker.env',
  'agents.list.*.sandbox.docker.env',
].map((pattern) => pattern.split('.'));

type Path = readonly (string | number)[];

interface Place {
  readonly value: unknown;
  readonly path: Path;
}

/** A place where a secret itself stands instead of a reference to it. */
export interface PlainSecret {
  readonly path: (string | number)[];
  readonly message: string;
}

/** Secrets, judged by name or form, that were written into free parts of the document. Expects any shape. */
export function plainSecrets(document: unknown): PlainSecret[] {
  return FREE_PARTS.flatMap((pattern) => placesOf(document, pattern))
    .flatMap((place) => search(place))
    .map((path) => ({ path: [...path], message: MESSAGE }));
}

function placesOf(document: unknown, pattern: readonly string[]): Place[] {
  let places: Place[] = [{ value: document, path: [] }];
  for (const segment of pattern) places = places.flatMap((place) => members(place).filter(({ path }) => segment === '*' || path.at(-1) === segment));
  return places;
}

function search(root: Place): Path[] {
  const found: Path[] = [];
  let level = [{ ...root, secret: false }];
  for (let depth = 0; level.length > 0 && depth < MAX_DEPTH; depth++) {
    const below: typeof level = [];
    for (const { value, path, secret } of level) {
      if (isPlain(value, secret)) found.push(path);
      if (typeof value !== 'object' || value === null || (secret && isSecretRef(value))) continue;
      for (const member of members({ value, path }))
        below.push({ ...member, secret: Array.isArray(value) ? secret : isSecretName(String(member.path.at(-1))) });
    }
    level = below;
  }
  return found;
}

function isPlain(value: unknown, secret: boolean): boolean {
  if (typeof value === 'number') return secret;
  if (typeof value !== 'string' || value === '') return false;
  // What references leave of a text counts: `Bearer ${TOKEN}` and `https://${USER}:${PASSWORD}@host` hold no secret.
  const rest = value.replaceAll(/(?<!\$)\$\{[A-Z_][A-Z0-9_]*\}/g, '');
  return looksSecret(rest) || (secret && rest === value);
}

function members({ value, path }: Place): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).map(([key, inner]) => ({ value: inner, path: [...path, Array.isArray(value) ? Number(key) : key] }));
}
