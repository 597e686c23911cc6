import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { referencePage } from './index.js';
import { alternatives, type SchemaNode, tenantSchema } from './validate/schema-tree.js';

describe('referencePage', () => {
  it('is what docs/reference/configuration.md holds (print it again: npm run generate)', () => {
    const file = fileURLToPath(new URL('../../../docs/reference/configuration.md', import.meta.url));
    expect(readFileSync(file, 'utf8')).toBe(referencePage());
  });

  it('has prose for every setting', () => {
    const silent: string[] = [];
    const visit = (node: SchemaNode, path: string): void => {
      for (const one of alternatives(node)) {
        for (const [key, inner] of Object.entries(one.properties ?? {})) {
          if (!inner.description) silent.push(`${path}.${key}`);
          visit(inner, `${path}.${key}`);
        }
        if (typeof one.additionalProperties === 'object') visit(one.additionalProperties, `${path}.<id>`);
        if (one.items !== undefined) visit(one.items, `${path}[]`);
      }
    };
    visit(tenantSchema(), '');
    expect(silent).toEqual([]);
  });
});
