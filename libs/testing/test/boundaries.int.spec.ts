import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '@plexus/local-stack';
import { throwAwayFolder } from '../src/index.js';

/** A checkout in miniature: the files given, and every installed package except our own, which are the ones in it. */
function plant(files: Record<string, string>): string {
  const folder = throwAwayFolder('boundaries').path;
  const installed = path.join(repositoryRoot(), 'node_modules');
  mkdirSync(path.join(folder, 'node_modules/@plexus'), { recursive: true });
  for (const name of readdirSync(installed)) {
    if (name !== '@plexus' && !name.startsWith('.')) symlinkSync(path.join(installed, name), path.join(folder, 'node_modules', name));
  }
  const libraries = new Set(['kernel', 'contracts', 'bus', 'database', 'testing', 'local-stack']);
  for (const library of libraries) {
    mkdirSync(path.join(folder, 'libs', library, 'src'), { recursive: true });
    const exported = { '.': { '@plexus/source': './src/index.ts', default: './dist/src/index.js' } };
    writeFileSync(path.join(folder, 'libs', library, 'package.json'), JSON.stringify({ name: `@plexus/${library}`, type: 'module', exports: exported }));
    writeFileSync(path.join(folder, 'libs', library, 'src/index.ts'), `export const ${library.replace('-', '')} = 1;\n`);
    symlinkSync(path.join('../../libs', library), path.join(folder, 'node_modules/@plexus', library));
  }
  mkdirSync(path.join(folder, 'services'));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  }
  return folder;
}

function lint(folder: string): Promise<{ code: number; output: string }> {
  const script = path.join(repositoryRoot(), 'tools/lint-boundaries.mjs');
  return new Promise((resolve) => {
    execFile(process.execPath, [script, folder], { encoding: 'utf8', timeout: 170_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr });
    });
  });
}

describe('the boundaries between projects', () => {
  it('are kept by an ordinary service', async () => {
    const folder = plant({
      'services/a/src/domain/decide.ts': `import { kernel } from '@plexus/kernel';\nexport const decide = kernel;\n`,
      'services/a/src/adapters/nats/handler.ts': `import { bus } from '@plexus/bus';\nimport { decide } from '../../domain/decide.js';\nexport const handler = [bus, decide];\n`,
      'services/a/test/handler.int.spec.ts': `import { testing } from '@plexus/testing';\nexport const used = testing;\n`,
    });
    expect(await lint(folder)).toMatchObject({ code: 0, output: expect.stringContaining(' 0 violations') });
  });

  it.each([
    ['a service that imports another', 'no-service-to-service', 'services/a/src/x.ts', `import { y } from '../../b/src/y.js';\nexport const x = y;\n`],
    [
      'a library that imports a service',
      'no-library-to-service',
      'libs/kernel/src/x.ts',
      `import { y } from '../../../services/b/src/y.js';\nexport const x = y;\n`,
    ],
    ['a kernel that imports the bus', 'kernel-imports-only-itself', 'libs/kernel/src/x.ts', `import { bus } from '@plexus/bus';\nexport const x = bus;\n`],
    [
      'contracts that import the bus',
      'contracts-imports-only-kernel',
      'libs/contracts/src/x.ts',
      `import { bus } from '@plexus/bus';\nexport const x = bus;\n`,
    ],
    [
      'a domain with Nest in it',
      'pure-layers-know-no-framework',
      'services/a/src/domain/x.ts',
      `import { Injectable } from '@nestjs/common';\nexport const x = Injectable;\n`,
    ],
    ['a use case with SQL in it', 'pure-layers-know-no-framework', 'services/a/src/application/x.ts', `import pg from 'pg';\nexport const x = pg;\n`],
    [
      'a use case that knows its adapter',
      'application-knows-no-adapter',
      'services/b/src/application/x.ts',
      `import { z } from '../adapters/z.js';\nexport const x = z;\n`,
    ],
    [
      'a gateway with a database',
      'gateway-has-no-database',
      'services/gateway/src/x.ts',
      `import { database } from '@plexus/database';\nexport const x = database;\n`,
    ],
    ['a runtime with a bus', 'runtime-is-lean', 'services/runtime/src/x.ts', `import { bus } from '@plexus/bus';\nexport const x = bus;\n`],
    [
      'a program with test servers in it',
      'testing-only-in-tests',
      'services/a/src/x.ts',
      `import { testing } from '@plexus/testing';\nexport const x = testing;\n`,
    ],
    [
      'a service that starts servers',
      'local-stack-only-in-tools',
      'services/a/src/x.ts',
      `import { localstack } from '@plexus/local-stack';\nexport const x = localstack;\n`,
    ],
  ])('are broken by %s, and the rule is named', async (_title, rule, file, text) => {
    const folder = plant({ 'services/b/src/y.ts': 'export const y = 1;\n', 'services/b/src/adapters/z.ts': 'export const z = 1;\n', [file]: text });
    const { code, output } = await lint(folder);
    expect(output).toContain(rule);
    expect(output).toContain(file);
    expect(code).toBe(1);
  });
});
