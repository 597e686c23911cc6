import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseMasterKey, sealSecret, TenantConfig } from '@plexus/agent-config';
import { sealingKeys } from '@plexus/service-kit';
import { openBox } from '@plexus/vm-protocol';
import { ModelEndpoints } from '../application/model-endpoints.js';
import { modelProviders } from './model-providers.js';

const KEY = 'sk-of-acme-0815';
const current = parseMasterKey(Buffer.alloc(32, 7).toString('base64'));

describe('the endpoint of a configured model provider', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plexus-model-providers-'));
    writeFileSync(path.join(folder, 'key'), `${KEY}\n`);
    writeFileSync(path.join(folder, 'own'), 'a secret of the mesh');
    symlinkSync(path.join(folder, 'own'), path.join(folder, 'link'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const resolve = (provider: { baseUrl?: string; apiKey?: unknown }, more: object = {}) => {
    const config = TenantConfig.parse({ models: { providers: { acme: { baseUrl: 'https://acme.example/v1', ...provider } } }, ...more });
    const env = { ACME_KEY: KEY, ACME_HOST: 'eu.acme.example', EMPTY: '', PLEXUS_MASTER_KEY: 'm', VM_TOKEN_SECRET: 't' };
    return modelProviders(() => config, { env, folders: [], forbidden: [path.join(folder, 'own')], masterKeys: { current } })('acme-inc', 'acme');
  };
  const key = (apiKey: unknown) => {
    const resolved = resolve({ apiKey });
    return resolved.ok ? resolved.value.apiKey : resolved.error;
  };

  it('has its key from a variable, a file or a text sealed for this tenant, and its address with references resolved', () => {
    const sealed = sealSecret(KEY, current, 'acme-inc');
    for (const reference of ['${ACME_KEY}', { env: 'ACME_KEY' }, { file: path.join(folder, 'key') }, sealed]) expect(key(reference)).toBe(KEY);
    expect(resolve({ baseUrl: 'https://${ACME_HOST}/v1' })).toEqual({ ok: true, value: { baseUrl: 'https://eu.acme.example/v1' } });
    expect(resolve({ baseUrl: 'https://${HOST}/v1' }, { env: { HOST: 'h' } })).toEqual({ ok: true, value: { baseUrl: 'https://h/v1' } });
  });

  it('cannot be had: the reason names setting and reference, never a value', () => {
    const refused: [unknown, string][] = [
      [{ env: 'NOT_THERE' }, 'the variable NOT_THERE is not set, or empty'],
      ['${EMPTY}', 'the variable EMPTY is not set, or empty'],
      [{ file: path.join(folder, 'none') }, `the file ${path.join(folder, 'none')} cannot be read (ENOENT)`],
      [sealSecret(KEY, current, 'another'), 'sealed for another tenant, or damaged'],
    ];
    for (const [reference, why] of refused) {
      expect(key(reference)).toEqual({ code: 'MODEL_KEY_UNAVAILABLE', message: `The scheduler cannot resolve models.providers.acme.apiKey: ${why}.` });
    }
    expect(resolve({ baseUrl: 'https://${NOT_THERE}' })).toMatchObject({ error: { message: expect.stringContaining('baseUrl: a variable of NOT_THERE') } });
    const gone = modelProviders(() => TenantConfig.parse({}), { env: {}, folders: [], forbidden: [] })('acme-inc', 'acme');
    expect(gone).toMatchObject({ ok: false, error: { code: 'MODEL_UNAVAILABLE', message: expect.stringContaining('models.providers.acme') } });
  });

  it('never carries what belongs to the mesh itself, by whatever way it is named', () => {
    for (const name of ['PLEXUS_MASTER_KEY', 'VM_TOKEN_SECRET']) {
      expect(key({ env: name })).toMatchObject({ message: expect.stringContaining(`${name} belongs to Plexus itself`) });
      expect(resolve({ baseUrl: `https://evil/\${${name}}` })).toMatchObject({ error: { message: expect.stringContaining('belongs to Plexus itself') } });
    }
    for (const file of ['own', 'link']) expect(key({ file: path.join(folder, file) })).toMatchObject({ message: expect.stringContaining('NOT_ALLOWED') });
  });

  it('is sealed into the message for one incarnation; other frames stay as they are', () => {
    const endpoints = new ModelEndpoints(
      () => ({ ok: true, value: { baseUrl: 'https://acme.example/v1', apiKey: KEY } }),
      () => ['s1', 's0'],
    );
    const vm = { vmId: 'vm-1', epoch: 2 };
    const message = (metadata: object) => ({ type: 'user_message', session_id: 's', data: { message: 'hi', history: [], metadata } });
    const sent = endpoints.attach(vm, 'acme-inc', message({ run_id: 'r', model_provider: 'acme' }));
    expect(JSON.stringify(sent)).not.toContain(KEY);
    const { sealed } = (sent as unknown as { data: { metadata: { model_endpoint: { sealed: never[] } } } }).data.metadata.model_endpoint;
    const address = { ...vm, purpose: 'model-endpoint', name: 's/r/acme' };
    expect(['s1', 's0'].map((secret, index) => openBox(secret, address, sealed[index] as never))).toEqual(
      Array(2).fill(JSON.stringify({ baseUrl: 'https://acme.example/v1', apiKey: KEY })),
    );
    const fallbacks = [{ model: 'm2', provider: 'acme', context_window: 32_000 }, { model: 'local' }];
    const withFallbacks = endpoints.attach(vm, 'acme-inc', message({ run_id: 'r', model_endpoints_fallback: fallbacks }));
    const offers = (withFallbacks as unknown as { data: { metadata: { model_endpoints_fallback: { sealed?: never[] }[] } } }).data.metadata
      .model_endpoints_fallback;
    expect(offers).toEqual([{ ...fallbacks[0], sealed: expect.any(Array) }, fallbacks[1]]);
    expect(openBox('s1', address, offers[0]?.sealed?.[0] as never)).toContain(KEY);
    expect(JSON.stringify(withFallbacks)).not.toContain(KEY);
    const others = [message({ run_id: 'r' }), message({ model_provider: 'acme' }), { type: 'cancel', session_id: 's' }];
    for (const frame of others) expect(endpoints.attach(vm, 'acme-inc', frame)).toBe(frame);
  });
});

test('only a master key of 32 bytes opens sealed references', () => {
  expect(sealingKeys({ current: Buffer.alloc(32, 7).toString('hex'), previous: undefined })).toEqual({ current });
  expect(sealingKeys({ current: 'a long text, but not 32 bytes in base64', previous: undefined })).toBe('unusable');
  expect(sealingKeys(undefined)).toBeUndefined();
});
