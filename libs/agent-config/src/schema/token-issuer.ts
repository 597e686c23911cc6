import { z } from 'zod';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** `https`, or `http` on this machine. */
function isSafeAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  return username === '' && password === '' && (protocol === 'https:' || (protocol === 'http:' && LOOPBACK.has(hostname)));
}

/** Somebody else who signs tokens for users of a tenant (an OpenID provider): what such a token must say, and where its keys are. */
export const TokenIssuer = z.strictObject({
  issuer: z.string().min(1).max(512).describe('The claim `iss`, exactly.'),
  jwksUrl: z
    .string()
    .max(2_048)
    .refine(isSafeAddress, { error: 'must be an https address without credentials (http only on loopback)' })
    .describe('Where its public keys are (RFC 7517). Read by the gateway when a token comes; private addresses only as GATEWAY_PRIVATE_HOSTS allows.'),
  audience: z.string().min(1).max(512).describe('One of the claim `aud` must be this. Tokens for others are refused.'),
  userClaim: z.string().min(1).max(128).default('sub').describe('The claim that says who the user is.'),
  scopesClaim: z.string().min(1).max(128).default('scope').describe('The claim with scopes: a list, or words in one text.'),
  scopes: z
    .record(z.string().min(1).max(256), z.array(z.string().min(1).max(128)).max(16))
    .optional()
    .describe('What its scopes, groups or roles are here; others grant nothing. Absent: those named operator.… are taken as they are.'),
});
export type TokenIssuer = z.infer<typeof TokenIssuer>;
