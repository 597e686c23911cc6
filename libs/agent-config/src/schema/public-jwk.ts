import { z } from 'zod';
import { ALWAYS, fieldOf } from './unique.js';

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/**
 * A public key as JWK (EdDSA, EC or RSA). Members that belong to a private or symmetric key are refused: a bucket is no place for them.
 * Members we do not know stay, as RFC 7517 asks.
 */
export const PublicJwk = z
  .looseObject({
    kty: z.enum(['OKP', 'EC', 'RSA']).describe('Key family.'),
    kid: z.string().min(1).max(128).optional().describe('Which key; a token names it.'),
    alg: z.string().max(16).optional().describe('The one algorithm that this key may be used with.'),
    use: z.literal('sig').optional(),
  })
  .superRefine((key, context) => {
    for (const member of PRIVATE_MEMBERS) {
      if (fieldOf(key, member) !== undefined)
        context.addIssue({ code: 'custom', params: { code: 'private_key' }, path: [member], message: 'is part of a private key; store the public half only' });
    }
  }, ALWAYS);
export type PublicJwk = z.infer<typeof PublicJwk>;
