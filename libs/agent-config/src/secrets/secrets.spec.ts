import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { needsReseal, openSecret, parseMasterKey, resealSecret, resolveSecret, SecretRef, sealSecret } from '../index.js';
import { isSecretName, looksSecret } from './secret-names.js';

const newKey = () => parseMasterKey(randomBytes(32).toString('base64'));

describe('sealSecret', () => {
  const current = newKey();

  it('gives back any text to the same tenant, and hides it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // Lone surrogates have no UTF-8.
        const secret = Buffer.from(text).toString();
        const sealed = sealSecret(secret, current, 'acme');
        expect(openSecret(sealed, { current }, 'acme')).toEqual({ ok: true, value: secret });
        expect(SecretRef.safeParse(sealed).success).toBe(true);
        expect(sealSecret(secret, current, 'acme').sealed).not.toBe(sealed.sealed);
      }),
    );
    expect(sealSecret('hunter2', current, 'acme').sealed).not.toContain(Buffer.from('hunter2').toString('base64url'));
  });

  it('opens for no other tenant, no other key, and not after a change of a single character', () => {
    const sealed = sealSecret('hunter2', current, 'acme');
    expect(openSecret(sealed, { current }, 'other')).toMatchObject({ ok: false, error: { code: 'wrong_context_or_damaged' } });
    expect(openSecret(sealed, { current: newKey() }, 'acme')).toMatchObject({ ok: false, error: { code: 'unknown_key' } });
    fc.assert(
      fc.property(fc.nat({ max: sealed.sealed.length - 1 }), fc.constantFrom('A', 'z', '-', '.'), (at, character) => {
        const changed = sealed.sealed.slice(0, at) + character + sealed.sealed.slice(at + 1);
        // The last character of base64 can hold bits that mean nothing.
        if (changed === sealed.sealed || at === sealed.sealed.length - 1) return;
        expect(openSecret({ sealed: changed }, { current }, 'acme').ok).toBe(false);
      }),
    );
  });

  it('takes any text for a sealed one without throwing', () => {
    fc.assert(fc.property(fc.string(), (text) => expect(openSecret({ sealed: text }, { current }, 'acme').ok).toBe(false)));
  });

  it('can be rotated: the previous key still opens, and what is sealed anew needs it no longer', () => {
    const previous = current;
    const keys = { current: newKey(), previous };
    const old = sealSecret('hunter2', previous, 'acme');
    expect(openSecret(old, keys, 'acme')).toEqual({ ok: true, value: 'hunter2' });
    expect(needsReseal(old, keys)).toBe(true);
    const anew = resealSecret(old, keys, 'acme');
    if (!anew.ok) throw new Error(anew.error.message);
    expect(needsReseal(anew.value, keys)).toBe(false);
    expect(openSecret(anew.value, { current: keys.current }, 'acme')).toEqual({ ok: true, value: 'hunter2' });
  });

  it('takes a key of 32 bytes in base64, base64url or hex, and quotes no other', () => {
    const bytes = randomBytes(32);
    const ids = (['base64', 'base64url', 'hex'] as const).map((encoding) => parseMasterKey(`${bytes.toString(encoding)}\n`).id);
    expect(new Set(ids).size).toBe(1);
    for (const text of ['', 'hunter2', randomBytes(16).toString('base64'), `${bytes.toString('base64')}!`]) {
      expect(() => parseMasterKey(text)).toThrow(/32 bytes/);
      if (text !== '') expect(() => parseMasterKey(text)).not.toThrow(text);
    }
  });
});

describe('resolveSecret', () => {
  const current = newKey();
  const sources = {
    env: { KEY: 'from env', EMPTY: '' },
    readFile: (file: string) => (file === '/k' ? 'from file\n' : fail()),
    masterKeys: { current },
    tenant: 'acme',
  };
  const fail = (): never => {
    throw Object.assign(new Error('hunter2'), { code: 'ENOENT' });
  };

  it('finds a secret in a variable, a file, and a sealed text', () => {
    expect(resolveSecret(`\${KEY}`, sources)).toEqual({ ok: true, value: 'from env' });
    expect(resolveSecret({ env: 'KEY' }, sources)).toEqual({ ok: true, value: 'from env' });
    expect(resolveSecret({ file: '/k' }, sources)).toEqual({ ok: true, value: 'from file' });
    expect(resolveSecret(sealSecret('inside', current, 'acme'), sources)).toEqual({ ok: true, value: 'inside' });
  });

  it('says what is missing, by name only', () => {
    const faults = [
      resolveSecret({ env: 'EMPTY' }, sources),
      resolveSecret({ file: '/gone' }, sources),
      resolveSecret({ sealed: 'x' }, { env: {}, tenant: 'acme' }),
    ];
    expect(faults.map((fault) => fault.ok || fault.error.code)).toEqual(['missing_variable', 'unreadable_file', 'no_master_key']);
    expect(JSON.stringify(faults)).not.toContain('hunter2');
  });
});

describe('secret names and forms', () => {
  it.each([
    'token',
    'botToken',
    'API_KEY',
    'apiKey',
    'client-secret',
    'signingSecret',
    'password',
    'PLEXUS_MASTER_KEY',
    'OPENAI_KEY',
    'STRIPE_KEY',
    'SMTP_PASS',
    'smtpPass',
    'GITHUB_PAT',
    'DB_DSN',
  ])('%s names a secret', (name) => expect(isSecretName(name)).toBe(true));
  it.each(['tokens', 'maxTokens', 'sessionKey', 'mainKey', 'key', 'tokenFile', 'SSH_PUBLIC_KEY', 'AWS_KEY_ID', 'bypass', 'author', 'secretary', ''])(
    '%s names none',
    (name) => expect(isSecretName(name)).toBe(false),
  );
  it.each(['sk-proj-abcdefghijk', 'xoxb-123456789-abc', '123456789:AAabcdefghijklmnopqrstuvwxyz012345', 'postgresql://u:p@h/d'])(
    '%s has the form of a secret',
    (text) => expect(looksSecret(text)).toBe(true),
  );
  it.each(['Europe/Berlin', 'telegram:42', 'https://example.org/a?b=c', '2026-11-21T00:00:00Z'])('%s has not', (text) => expect(looksSecret(text)).toBe(false));
});
