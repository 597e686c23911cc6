import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

describe('npm run new', () => {
  const copy = mkdtempSync(path.join(tmpdir(), 'plexus-new-'));
  const generate = (...args: string[]) => spawnSync(process.execPath, ['tools/new.mjs', ...args], { cwd: copy, encoding: 'utf8' });

  beforeAll(() => {
    for (const file of ['tools', 'tsconfig.json', 'tsconfig.base.json', 'services/push/package.json']) {
      mkdirSync(path.dirname(path.join(copy, file)), { recursive: true });
      cpSync(path.join(root, file), path.join(copy, file), { recursive: true });
    }
  });
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  it('writes a service with every part that a service has, known to the build', () => {
    expect(generate('service', 'billing').status).toBe(0);
    for (const file of [
      'package.json',
      'tsconfig.json',
      'tsconfig.spec.json',
      'README.md',
      'src/config.ts',
      'src/config.spec.ts',
      'src/billing.module.ts',
      'src/main.ts',
    ]) {
      expect([file, existsSync(path.join(copy, 'services/billing', file))]).toEqual([file, true]);
    }
    const references = (JSON.parse(readFileSync(path.join(copy, 'tsconfig.json'), 'utf8')) as { references: { path: string }[] }).references;
    expect(references.map((reference) => reference.path)).toContain('services/billing');
  });

  it('writes a library that compiles, with a first test', () => {
    expect(generate('lib', 'money').status).toBe(0);
    symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
    const typescript = path.join(root, 'node_modules/typescript/bin/tsc');
    execFileSync(process.execPath, [typescript, '-p', 'tsconfig.spec.json'], { cwd: path.join(copy, 'libs/money'), stdio: 'pipe' });
  });

  it('refuses a bad name and never overwrites', () => {
    expect(generate('lib', 'Bad Name').status).toBe(2);
    expect(generate('thing', 'x').status).toBe(2);
    generate('lib', 'twice');
    expect(generate('lib', 'twice').status).toBe(1);
  });
});
