import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Parser } from '@asyncapi/parser';
import { CONTRACTS, contractName, findContract } from '../src/index.js';
import { artefacts } from '../src/generate/artefacts.js';
import type { FieldNumbers } from '../src/generate/proto.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const golden = path.join(root, 'libs/contracts/test/golden');
const buf = path.join(root, 'node_modules/.bin/buf');
const numbers = (): FieldNumbers => JSON.parse(readFileSync(path.join(root, 'proto/field-numbers.json'), 'utf8')) as FieldNumbers;

describe('what is generated from the contracts', () => {
  it('is committed as it would be generated now', () => {
    for (const artefact of artefacts(numbers())) {
      if (!artefact.keepExisting) expect([artefact.path, readFileSync(path.join(root, artefact.path), 'utf8')]).toEqual([artefact.path, artefact.content]);
    }
  });

  it('is an AsyncAPI 3 document without errors', async () => {
    const { document, diagnostics } = await new Parser().parse(readFileSync(path.join(root, 'proto/asyncapi/plexus.json'), 'utf8'));
    expect(diagnostics.filter(({ severity }) => severity === 0)).toEqual([]);
    expect(document?.operations().all().length).toBe(CONTRACTS.length);
  });

  it('keeps every golden example of a released version readable', () => {
    const files = readdirSync(golden);
    expect(files.length).toBeGreaterThanOrEqual(CONTRACTS.length);
    for (const file of files) {
      const contract = findContract(file.replace(/\.json$/, '').replace('.', ' '));
      expect([file, contract && contractName(contract)]).not.toEqual([file, undefined]);
      for (const example of JSON.parse(readFileSync(path.join(golden, file), 'utf8')) as unknown[]) {
        expect([file, contract?.data.safeParse(example)]).toMatchObject([file, { success: true }]);
      }
    }
  });
});

describe('the .proto mirror', () => {
  it('passes buf lint and breaks nothing that was released', () => {
    execFileSync(buf, ['lint'], { cwd: root, stdio: 'pipe' });
    execFileSync(buf, ['breaking', '--against', 'proto/released.binpb'], { cwd: root, stdio: 'pipe' });
  });

  it('is checked by something that notices a moved field number', () => {
    const copy = mkdtempSync(path.join(tmpdir(), 'plexus-proto-'));
    try {
      cpSync(path.join(root, 'proto'), path.join(copy, 'proto'), { recursive: true });
      cpSync(path.join(root, 'buf.yaml'), path.join(copy, 'buf.yaml'));
      const file = path.join(copy, 'proto/plexus/run/v1/run.proto');
      writeFileSync(file, readFileSync(file, 'utf8').replace('string run_id = 5;', 'string run_id = 55;'));
      const result = spawnSync(buf, ['breaking', '--against', 'proto/released.binpb'], { cwd: copy, encoding: 'utf8' });
      expect(result.status).not.toBe(0);
      expect(result.stdout).toContain('run_id');
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });

  it('keeps the numbers of fields that stay and reserves those of removed ones', () => {
    const before = numbers();
    const message = 'plexus.run.v1.StartCommand';
    const changed = structuredClone(before);
    (changed[message] as Record<string, number>).removed_field = 40;
    const proto = artefacts(changed).find(({ path: file }) => file === 'proto/plexus/run/v1/run.proto')?.content ?? '';
    expect(proto).toContain('reserved 40;');
    expect(proto).toContain('reserved "removed_field";');
    expect(proto).toMatch(/string run_id = 5;/);
  });
});
