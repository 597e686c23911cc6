import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { CommandFailure } from '../exit-code.js';
import { Output } from '../output.js';
import { vmAttachCommand } from './vm-attach.js';

const ANSWER = {
  vmId: 'vm-01jd2x3y4z5a6b7c8d9e0f1g2h',
  epoch: 7,
  userId: "o'hara",
  ticket: 'the-ticket',
  token: 'the.token',
  bootstrapSecret: 'the-secret',
  ws: 'wss://mesh.example/ws/vm',
  expiresAt: '2026-11-21T12:00:00.000Z',
};

describe('plexus vm attach', () => {
  let server: Server;
  let http: string;
  let folder: string;
  let reply: { status: number; body: unknown };
  const requests: { url: string | undefined; authorization: string | undefined; body: unknown }[] = [];

  const run = async (args: readonly string[], json = false): Promise<{ out: string; err: string }> => {
    const out: string[] = [];
    const err: string[] = [];
    const output = new Output(
      json,
      (text) => out.push(text),
      (text) => err.push(text),
    );
    const vm = new Command('vm').exitOverride();
    vmAttachCommand(
      vm,
      () => output,
      () => ({ state: folder, gateway: http, token: 'mine' }),
    );
    await vm.parseAsync(['attach', ...args], { from: 'user' });
    return { out: out.join(''), err: err.join('') };
  };

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'vm-attach-'));
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        requests.push({ url: request.url, authorization: request.headers.authorization, body: JSON.parse(Buffer.concat(chunks).toString()) });
        response.writeHead(reply.status, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    http = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    reply = { status: 200, body: ANSWER };
  });
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  it('prints the environment of a runtime, quoted for the shell', async () => {
    const { out, err } = await run(['--scope', 'agent:main']);
    expect(out.trim().split('\n')).toEqual([
      `VM_USER_ID='o'\\''hara'`,
      'VM_TICKET=the-ticket',
      'VM_TOKEN=the.token',
      'CONTROL_PLANE_WS=wss://mesh.example/ws/vm',
    ]);
    expect(err).toContain(ANSWER.expiresAt);
    expect(requests.at(-1)).toEqual({ url: '/v1/vms/attach', authorization: 'Bearer mine', body: { scope: 'agent:main' } });
  });

  it('prints the whole answer as JSON', async () => {
    expect(JSON.parse((await run([], true)).out)).toEqual(ANSWER);
  });

  it('writes the secrets to a new private file and shows none of them', async () => {
    const file = path.join(folder, 'secrets.json');
    for (const json of [false, true]) {
      rmSync(file, { force: true });
      const { out, err } = await run(['--out', file], json);
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ ticket: 'the-ticket', token: 'the.token', bootstrapSecret: 'the-secret' });
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(out).toContain(file);
      for (const secret of ['the-ticket', 'the.token', 'the-secret']) expect(out + err).not.toContain(secret);
    }
    await expect(run(['--out', file])).rejects.toMatchObject({ code: 'NOT_WRITTEN' });
  });

  it('passes the reason of a refusal on', async () => {
    reply = { status: 409, body: { code: 'CONFLICT', detail: 'A runtime is connected as this VM already; end the VM first.' } };
    await expect(run([])).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('already') as string });
    await expect(run([])).rejects.toBeInstanceOf(CommandFailure);
  });
});
