import { isSecretName, looksSecret } from '@plexus/agent-config';
import type { Place } from './reading.js';

const REFERENCE = /^\$\{([A-Z_][A-Z0-9_]*)\}$/;
const VARIABLE = /^[A-Z_][A-Z0-9_]{0,127}$/;
/** OpenClaw takes the name of a variable for a key; only what can hardly be a key itself is believed to be one. */
const NAMED_VARIABLE = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_(KEY|TOKEN|SECRET)$/;

/**
 * A reference in the place of a secret. The secret itself is not copied: `fallback` then names the variable that has to be set. Undefined where nothing
 * stands there.
 */
export function mapSecret(place: Place, fallback: string): string | undefined {
  const { value } = place;
  const named = variableOf(value);
  if (named === undefined && !(typeof value === 'string' && value !== '') && !place.isObject) return undefined;
  const name = named ?? fallback;
  place.take();
  place.needs(name);
  return `\${${name}}`;
}

function variableOf(value: unknown): string | undefined {
  if (typeof value === 'string') return REFERENCE.exec(value)?.[1] ?? (NAMED_VARIABLE.test(value) && !looksSecret(value) ? value : undefined);
  const { source, id } = Object(value) as { source?: unknown; id?: unknown };
  return source === 'env' && typeof id === 'string' && VARIABLE.test(id) ? id : undefined;
}

/** A text of which nobody knows what it holds: kept when it is harmless, else a reference in its place. */
export function mapFreeText(place: Place, fallback: string): string | undefined {
  const { value } = place;
  if (typeof value !== 'string') return place.isObject ? mapSecret(place, fallback) : undefined;
  const secret = looksSecret(value) || (isSecretName(place.name) && !value.includes('${'));
  return secret ? mapSecret(place, fallback) : place.text();
}

/** `TELEGRAM_OPS_BOT_TOKEN` of `telegram`, `ops` and `botToken`. */
export function variableName(...parts: readonly string[]): string {
  const name = parts
    .map((part) => part.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll(/[^A-Za-z0-9]+/g, '_'))
    .join('_')
    .toUpperCase()
    .replaceAll(/^_+|_+$/g, '');
  return /^[A-Z]/.test(name) ? name.slice(0, 128) : `OPENCLAW_${name}`.slice(0, 128);
}
