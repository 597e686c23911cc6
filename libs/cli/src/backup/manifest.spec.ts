import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { checkRows, type Manifest, readManifest, writeManifest } from './manifest.js';

const sum = { bytes: 1, sha256: 'a'.repeat(64) };

/** As JSON: a manifest is what somebody else may have written. */
function manifest(stream: object = {}, database: object = {}): Manifest {
  return {
    ...{ format: 'plexus-backup', version: 1, startedAt: '', finishedAt: '', natsVersion: '2.9.10', leftOut: [], warnings: [] },
    streams: [{ name: 'PLEXUS_IN', file: 'PLEXUS_IN.snapshot', takenAt: '', config: { name: 'PLEXUS_IN' }, state: {}, ...sum, ...stream }],
    databases: [
      {
        ...{
          name: 'plexus',
          engine: 'postgres',
          file: 'plexus.rows.gz',
          schemas: ['routing', 'push', 'scheduler'],
          serverVersion: '17',
          takenAt: '',
          tables: {},
        },
        ...{ migrations: { push: [{ name: '20261121000000_init', checksum: '' }] }, ...sum, ...database },
      },
    ],
  } as unknown as Manifest;
}

describe('a manifest', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'plexus-manifest-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is read as it was written, and refused when it was changed', () => {
    writeManifest(folder, manifest());
    expect(readManifest(folder)).toEqual(manifest());
    writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(manifest()));
    expect(() => readManifest(folder)).toThrow('was changed');
  });

  it('says how many rows can be read as a restore reads them', async () => {
    const databases = [{ file: 'plexus.rows.gz', tables: { 'push.timer': 1, 'push.policy': 1 } }] as unknown as Manifest['databases'];
    const write = (...lines: unknown[]) =>
      writeFileSync(
        path.join(folder, 'plexus.rows.gz'),
        gzipSync(lines.map((line) => (typeof line === 'string' ? line : `${JSON.stringify(line)}\n`)).join('')),
      );
    const table = { table: ['push', 'timer'], columns: ['a'] };
    write(table, ['one\u2028'], ['two'], { sequence: ['push', 's'], value: '1', called: true });
    await expect(checkRows(folder, { databases })).resolves.toBeUndefined();
    write(table, ['one']);
    await expect(checkRows(folder, { databases })).rejects.toThrow('holds 1 rows instead of 2');
    write(table, ['one'], '["two\n');
    await expect(checkRows(folder, { databases })).rejects.toThrow('behind the first 1');
  });

  it.each([
    ['../../etc/passwd', { file: '../../etc/passwd' }, {}],
    ['PLEXUS_IN.x', { name: 'PLEXUS_IN.x', file: 'PLEXUS_IN.x.snapshot', config: { name: 'PLEXUS_IN.x' } }, {}],
    ['ORDERS', { config: { name: 'ORDERS' } }, {}],
    ['shop', {}, { name: 'shop', file: 'shop.rows.gz' }],
    ['constructor', {}, { name: 'constructor', file: 'constructor.rows.gz', schemas: [], migrations: {} }],
    ['/etc/shadow', {}, { file: '/etc/shadow' }],
    ['public', {}, { schemas: ['public'] }],
    ['../../../tmp/x', {}, { migrations: { '../../../tmp/x': [] } }],
    ['../20261121000000_init', {}, { migrations: { push: [{ name: '../20261121000000_init', checksum: '' }] } }],
  ])('that names %s is refused, although its digest is right', (name, stream, database) => {
    writeManifest(folder, manifest(stream, database));
    expect(() => readManifest(folder)).toThrow(JSON.stringify(name));
  });
});
