import fc from 'fast-check';
import { hasScope } from '@plexus/contracts';
import { type Credential, grantScopes, principalOf } from './caller.js';

const credential = (scopes: string[]): Credential => ({ tenant: 't', user: 'u', scopes, credentialId: 'c', proof: { kind: 'shared' } });

describe('scopes of a connection', () => {
  it('property: never exceed what the credential covers, and are only what was asked for', () => {
    const scope = fc.constantFrom('operator.read', 'operator.write', 'operator.admin', 'operator.approvals', 'root', 'operator.__proto__', '');
    fc.assert(
      fc.property(fc.array(scope), fc.array(scope), (owned, asked) => {
        const granted = grantScopes(credential(owned), asked);
        for (const one of granted) {
          expect(hasScope(owned, one)).toBe(true);
          expect(asked).toContain(one);
          expect(one).toMatch(/^operator\./);
        }
      }),
    );
  });

  it('are all of the credential when nothing in particular was asked for, and none when none were', () => {
    expect(grantScopes(credential(['operator.write']), undefined)).toEqual(['operator.write']);
    expect(grantScopes(credential(['operator.admin']), [])).toEqual([]);
  });

  it('make an operator of an administrator only', () => {
    expect(principalOf(credential([]), ['operator.admin']).role).toBe('operator');
    expect(principalOf(credential(['operator.admin']), ['operator.write'])).toEqual({
      tenant: 't',
      user: 'u',
      role: 'user',
      scopes: ['operator.write'],
      credentialId: 'c',
    });
  });
});
