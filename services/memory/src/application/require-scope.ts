import { errors } from '@plexus/contracts';
import { type Caller, ownScope, type Place, placeFor, type Refusal, type Scope, type Visible, viewOf } from '../domain/access.js';
import { isIdentifier } from '../domain/memory-text.js';

/** Index rows hold 2,704 bytes; tenant, owner, scope and namespace share them. */
const MAX_SCOPE_BYTES = 1_024;
const MAX_OWNER_BYTES = 512;
const MAX_NAMESPACE_BYTES = 256;

/** Where the caller may write; INVALID_REQUEST or FORBIDDEN otherwise. */
export function requirePlace(caller: Caller, scope: Scope | undefined): Place {
  const place = allowed(placeFor(caller, scopeOrOwn(caller, scope)));
  requireIdentifier('scope.id', place.id, MAX_SCOPE_BYTES);
  requireIdentifier('user', place.owner, MAX_OWNER_BYTES);
  return place;
}

/** What the caller may look into, each scope once; without scopes its own. */
export function requireViews(caller: Caller, scopes: readonly Scope[] | undefined): Visible[] {
  const wanted = scopes === undefined || scopes.length === 0 ? [undefined] : scopes;
  const views = new Map<string, Visible>();
  for (const scope of wanted) {
    const view = allowed(viewOf(caller, scopeOrOwn(caller, scope)));
    // A scope that cannot be stored cannot hold anything: looking into it is no error.
    if (isIdentifier(view.id, MAX_SCOPE_BYTES)) views.set(JSON.stringify([view.kind, view.id]), view);
  }
  return [...views.values()];
}

export function requireNamespace(namespace: string): string {
  requireIdentifier('namespace', namespace, MAX_NAMESPACE_BYTES);
  return namespace;
}

function scopeOrOwn(caller: Caller, scope: Scope | undefined): Scope {
  if (scope !== undefined) return scope;
  const own = ownScope(caller);
  if (own === 'no-user') throw errors.create('INVALID_REQUEST', { message: 'The credential names no user, so a scope must be given.' });
  return own;
}

function allowed<T extends object>(answer: T | Refusal): T {
  if (answer === 'not-yours') throw errors.create('FORBIDDEN', { message: "This scope is another user's." });
  if (answer === 'no-user') throw errors.create('INVALID_REQUEST', { message: 'A session belongs to a user, and the credential names none.' });
  return answer as T;
}

function requireIdentifier(path: string, text: string, maxBytes: number): void {
  if (isIdentifier(text, maxBytes)) return;
  const message = `must be well-formed Unicode without U+0000, at most ${maxBytes} bytes of UTF-8`;
  throw errors.create('INVALID_REQUEST', { details: { issues: [{ path, message }] } });
}
