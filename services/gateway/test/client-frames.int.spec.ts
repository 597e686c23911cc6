import { waitFor } from '@plexus/testing';
import fc from 'fast-check';
import { GatewayProcess } from './support/gateway-process.js';
import { connectParams, RawClient } from './support/raw-client.js';
import { TestMesh } from './support/test-mesh.js';

/** In every payload; must reach nobody else, and no log. */
const MARK = 'PAYLOAD-c41f09';
const MIB = 1024 * 1024;

/** What goes over the wire, and what Part A says about it. */
interface Sent {
  readonly name: string;
  readonly wire: string | Buffer;
  readonly answer: { readonly id: string; readonly says: string } | undefined;
}

let counter = 0;
const invalid = (name: string, wire: string, id = 'invalid'): Sent => ({ name, wire, answer: { id, says: 'invalid request frame' } });
const ignored = (name: string, wire: string | Buffer): Sent => ({ name, wire, answer: undefined });
const request = (fields: Record<string, unknown>): string => JSON.stringify({ type: 'req', ...fields });

const jsonObject = fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 6 });
const noText = fc.oneof(fc.integer(), fc.boolean(), fc.constant(null), fc.constant(''), fc.array(fc.integer(), { maxLength: 3 }), fc.constant({}));

/** Frames of every bad kind, each with what must come back. */
const frames: fc.Arbitrary<Sent> = fc.oneof(
  fc.string({ maxLength: 200 }).map((text) => ignored('broken JSON', `{"type":"req","${MARK}":${JSON.stringify(text)}`)),
  fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => ignored('binary noise', Buffer.concat([Buffer.from([0xff, 0xfe]), bytes]))),
  fc.constant(ignored('nothing', '')),
  fc
    .jsonValue({ maxDepth: 3 })
    .filter((value) => value === null || typeof value !== 'object')
    .map((value) => invalid('a bare value', JSON.stringify(value))),
  fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 4 }).map((list) => invalid('a list', JSON.stringify([...list, MARK]))),
  jsonObject.map((fields) => invalid('no request', JSON.stringify({ ...fields, id: undefined, type: 'res', note: MARK }))),
  fc.tuple(noText, jsonObject).map(([method, params]) => {
    const id = `bad-method-${++counter}`;
    return invalid('a method that is no text', request({ id, method, params, note: MARK }), id);
  }),
  noText.map((id) => invalid('an id that is no text', request({ id, method: 'health', note: MARK }))),
  fc.tuple(fc.string({ minLength: 1, maxLength: 40 }), fc.jsonValue({ maxDepth: 3 })).map(([name, params]) => {
    const id = `unknown-${++counter}`;
    return { name: 'an unknown method', wire: request({ id, method: `x.${name}`, params }), answer: { id, says: 'unknown method' } };
  }),
  jsonObject.map((fields) => {
    const id = `params-${++counter}`;
    const params = { ...fields, message: 7, sessionKey: [MARK] };
    return { name: 'parameters of wrong types', wire: request({ id, method: 'chat.send', params }), answer: { id, says: 'invalid chat.send params' } };
  }),
  fc.constant(undefined).map(() => {
    const id = `connect-${++counter}`;
    return { name: 'connect again', wire: request({ id, method: 'connect', params: connectParams(MARK) }), answer: { id, says: 'only valid as the first' } };
  }),
  fc.integer({ min: 65, max: 5_000 }).map((depth) => invalid('too deep', `${'{"a":'.repeat(depth)}"${MARK}"${'}'.repeat(depth)}`)),
  fc
    .constantFrom('__proto__', 'constructor', 'prototype')
    .map((key) => invalid('a forbidden key', `{"type":"req","id":"x","method":"health","params":{"${key}":{"${MARK}":1}}}`)),
  fc
    .integer({ min: 10_001, max: 12_000 })
    .map((count) => invalid('too many keys', `{${Array.from({ length: count }, (_, index) => `"k${index}":0`).join(',')}}`)),
  fc.integer({ min: 1, max: MIB }).map((size) => {
    const id = `huge-${++counter}`;
    return { name: 'a huge one', wire: request({ id, method: 'no.such', params: `${MARK}${'x'.repeat(size)}` }), answer: { id, says: 'unknown method' } };
  }),
);

describe('frames of clients that are not what the protocol says', () => {
  let mesh: TestMesh;
  let gateway: GatewayProcess;
  let ws: string;

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const env = {
      GATEWAY_PORT: '0',
      GATEWAY_TOKEN_FILE: mesh.state.paths.token,
      GATEWAY_MAX_PAYLOAD_BYTES: String(4 * MIB),
      GATEWAY_MAX_UNAUTHENTICATED: '1000',
    };
    gateway = GatewayProcess.spawn({ ...mesh.env('gateway'), LOG_LEVEL: 'trace', ...env });
    ({ ws } = await gateway.ready());
  });
  afterAll(async () => {
    await gateway?.end();
    await mesh?.stop();
  });

  it('G10: property: are answered as the protocol says or ignored, in any order and in any pieces; the connection goes on, and nobody else hears of it', async () => {
    const witness = await RawClient.connect(ws, mesh.token);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(frames, fc.nat({ max: 2 })), { minLength: 1, maxLength: 12 }), async (sent) => {
        const client = await RawClient.connect(ws, await mesh.jwt({ sub: 'fuzzer' }), { scopes: ['operator.write'] });
        for (const [{ wire }, how] of sent) transmit(client, wire, how);
        expect((await client.request('health')).ok).toBe(true);
        const answers = client.frames.filter(({ type, ok }) => type === 'res' && ok === false).map(({ id, error }) => ({ id, ...error }));
        const expected = sent.flatMap(([{ answer }]) => (answer === undefined ? [] : [answer]));
        expect(answers.map(({ id }) => id).sort()).toEqual(expected.map(({ id }) => id).sort());
        for (const { id, says } of expected.filter(({ id: one }) => one !== 'invalid')) {
          expect(answers.find((one) => one.id === id)).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining(says) });
        }
        for (const { code, message } of answers.filter(({ id }) => id === 'invalid'))
          expect([code, message?.slice(0, 21)]).toEqual(['INVALID_REQUEST', 'invalid request frame']);
        expect([client.violations, client.closed]).toEqual([[], undefined]);
        client.close();
      }),
      { numRuns: 15 },
    );
    expect((await witness.request('health')).ok).toBe(true);
    expect(JSON.stringify(witness.frames)).not.toContain(MARK);
    expect(gateway.process.exitCode).toBeNull();
    expect(gateway.output).not.toContain(MARK);
    witness.close();
  }, 180_000);

  it('G10: property: before the hello end the connection with a documented code, and never let anybody in', async () => {
    const CODES = [1000, 1002, 1008, 1009];
    await fc.assert(
      fc.asyncProperty(frames, async ({ wire }) => {
        const client = await RawClient.open(ws);
        transmit(client, wire, 0);
        expect(CODES).toContain((await client.end()).code);
        expect(client.frames.filter(({ type, ok }) => type === 'res' && ok === true)).toEqual([]);
      }),
      { numRuns: 15 },
    );
    expect(gateway.output).not.toContain(MARK);
  }, 180_000);

  it('G10: torn and masked wrongly at the level of WebSocket close their own connection only', async () => {
    const witness = await RawClient.connect(ws, mesh.token);
    for (const [bytes, codes] of [
      [Buffer.from([0x81, 0x05, 0x68, 0x65, 0x6c, 0x6c, 0x6f]), [1002, 1006]],
      [Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), [1002, 1006]],
      [Buffer.from([0x83, 0x80, 0, 0, 0, 0]), [1002, 1006]],
      [Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), [1009, 1006]],
      [Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]), [1007, 1006]],
    ] as const) {
      const client = await RawClient.connect(ws, mesh.token);
      (client.socket as unknown as { _socket: { write(data: Buffer): void } })._socket.write(bytes);
      expect(codes).toContain((await client.end()).code);
    }
    expect((await witness.request('health')).ok).toBe(true);
    await waitFor(() => gateway.process.exitCode === null, { what: 'the process to be there' });
    witness.close();
  });
});

/** As text, as a binary frame with the same bytes, or as text in two fragments. */
function transmit(client: RawClient, wire: string | Buffer, how: number): void {
  const bytes = Buffer.from(wire);
  if (Buffer.isBuffer(wire) || how === 1) client.socket.send(bytes, { binary: true });
  else if (how === 2) {
    client.socket.send(bytes.subarray(0, bytes.length >> 1), { binary: false, fin: false });
    client.socket.send(bytes.subarray(bytes.length >> 1), { binary: false, fin: true });
  } else client.socket.send(wire);
}
