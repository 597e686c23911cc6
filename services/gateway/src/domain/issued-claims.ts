import type { TokenIssuer } from '@plexus/agent-config';

/** Scopes that may be named as they are. */
const OWN_SCOPE = /^operator\.[a-z.]{1,64}$/;
const MAX_USER = 256;

/** Who a token of an issuer speaks of, by the rules of the tenant that trusts it; undefined when it names no user. */
export function readIssuedClaims(
  claims: Readonly<Record<string, unknown>>,
  { userClaim, scopesClaim, scopes }: TokenIssuer,
): { readonly user: string; readonly scopes: readonly string[] } | undefined {
  const user = own(claims, userClaim);
  if (typeof user !== 'string' || user === '' || user.length > MAX_USER) return undefined;
  const granted = wordsOf(own(claims, scopesClaim)).flatMap((word) => {
    if (scopes === undefined) return OWN_SCOPE.test(word) ? [word] : [];
    return Object.hasOwn(scopes, word) ? (scopes[word] ?? []) : [];
  });
  return { user, scopes: [...new Set(granted)] };
}

function own(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function wordsOf(value: unknown): string[] {
  const list = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
  return list.filter((word): word is string => typeof word === 'string' && word !== '');
}
