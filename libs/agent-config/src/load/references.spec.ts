import fc from 'fast-check';
import { loadConfigFile, referencesIn, referenceVariables, resolveReferences, validateTenantConfig } from '../index.js';

describe('resolveReferences', () => {
  it('replaces references everywhere, keeps doubled ones as text, and leaves other texts alone', () => {
    const document = { a: `\${A}`, list: [{ b: `http://\${A}:\${B}/` }], c: `$\${A}`, d: `\${lower} \${A`, e: 1 };
    expect(resolveReferences(document, { A: 'x', B: 'y' })).toEqual({
      ok: true,
      value: { a: 'x', list: [{ b: 'http://x:y/' }], c: `\${A}`, d: `\${lower} \${A`, e: 1 },
    });
  });

  it('names every missing or empty variable with its place, and no value of any other', () => {
    const result = resolveReferences({ a: `\${GONE}`, b: { c: [`\${EMPTY} \${SET}`] } }, { SET: 'hunter2', EMPTY: '' });
    expect(result).toMatchObject({
      ok: false,
      error: [
        { path: 'a', code: 'missing_reference' },
        { path: 'b.c.0', code: 'missing_reference' },
      ],
    });
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  it('does not look into what a variable holds', () => {
    expect(resolveReferences(`\${A}`, { A: `\${B}$&` })).toEqual({ ok: true, value: `\${B}$&` });
  });

  it('does not find variables on prototypes', () => {
    expect(resolveReferences(`\${constructor} \${A}`, Object.create({ A: 'inherited' }) as Record<string, string>)).toMatchObject({ ok: false });
  });

  it('leaves nothing to resolve, and changes nothing without references', () => {
    const text = fc.array(fc.constantFrom(`\${A}`, `$\${A}`, '$', '{', '}', 'A', ' '), { maxLength: 6 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('x', 'y'), fc.array(text)), (document) => {
        const result = resolveReferences(document, { A: 'value' });
        if (!result.ok) throw new Error('every variable is there');
        if (referencesIn(document).length === 0 && !JSON.stringify(document).includes('$${')) expect(result.value).toEqual(document);
      }),
    );
  });

  it('never lets a value into an issue, whatever else is wrong', () => {
    const secret = 'hunter2-hunter2';
    const text = fc.array(fc.constantFrom(`\${SECRET}`, `\${GONE}`, `$\${SECRET}`, `\${bad}`, 'x', '"', '{'), { maxLength: 5 }).map((parts) => parts.join(''));
    const env = { SECRET: secret };
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('agents', 'env', 'channels', 'defaultOwner', 'meta'), fc.oneof(text, fc.dictionary(text, text))),
        (document) => {
          const loaded = loadConfigFile('/c/plexus.json5', { env, readFile: () => JSON.stringify(document) });
          const resolved = resolveReferences(document, env);
          const outcomes = [loaded, resolved.ok ? undefined : resolved, validateTenantConfig(document), referencesIn(document)];
          expect(JSON.stringify(outcomes)).not.toContain(secret);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('prefers variables of the process over those of the document, unless they are empty', () => {
    expect(referenceVariables({ env: { A: 'own', B: 'own', C: 'own' } }, { A: 'process', B: '', D: undefined })).toEqual({ A: 'process', B: 'own', C: 'own' });
  });
});
