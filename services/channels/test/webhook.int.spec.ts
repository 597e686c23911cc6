import { request } from 'node:http';
import { signedHeaders, signingKey } from '../src/kit/standard-webhook.js';
import { webhookAdapter } from '../src/webhook/webhook.adapter.js';
import { waitFor } from '@plexus/testing';
import { ChannelMesh } from './support/channel-mesh.js';
import { HttpStandIn } from './support/http-stand-in.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OLD_SECRET = 'the previous secret of this account';

describe('the webhook adapter', () => {
  let mesh: ChannelMesh;
  let receiver: HttpStandIn;
  let inbound: string;
  let count = 0;

  beforeAll(async () => {
    mesh = await ChannelMesh.start();
    receiver = await HttpStandIn.plain(() => ({ body: { messageId: 'theirs-1' } }));
    const secrets = { signingSecret: mesh.secret('secret', SECRET), previousSigningSecret: mesh.secret('old-secret', OLD_SECRET) };
    const account = (more: Record<string, unknown> = {}) => ({ settings: { ...secrets, timeoutMs: 30_000, ...more } });
    await mesh.configure({
      webhook: {
        accounts: {
          main: account({ url: `${receiver.url}/hook`, headers: { 'X-Team': 'ops' } }),
          // Within this time everything is answered that is answered at all.
          patient: account({ url: `${receiver.url}/hook`, timeoutMs: 10_000 }),
          nourl: account(),
          inside: account({ url: 'http://169.254.169.254/latest/meta-data' }),
          unsafe: { settings: { signingSecret: mesh.secret('short', 'short') } },
        },
      },
    });
    await mesh.run(webhookAdapter, { CHANNEL_HTTP_MAX_BODY_BYTES: '4096' });
    await mesh.state('main', 'up');
    inbound = `${await mesh.platforms()}/channels/webhook/acme/main`;
  });
  afterAll(async () => {
    await mesh?.stop();
    await receiver?.stop();
  });

  const message = (text = 'Hello') => ({ chat: { kind: 'group', id: 'room-1' }, threadId: 't1', sender: { id: 'u1', name: 'Ada' }, text });
  const call = (body: unknown, o: { id?: string; secret?: string; at?: number; headers?: Record<string, string>; url?: string } = {}) => {
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const id = o.id ?? `msg_${++count}`;
    const headers = { ...signedHeaders(id, o.at ?? Date.now(), bytes, [signingKey(o.secret ?? SECRET)]), ...o.headers };
    return fetch(o.url ?? inbound, { method: 'POST', body: bytes, headers: { 'content-type': 'application/json', ...headers } });
  };

  it('states a signed message before it answers 202', async () => {
    const response = await call(message(), { id: 'msg_first' });
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ accepted: true, messageId: 'msg_first' });
    const { data, source } = await mesh.event('message-received', (event) => event.data.messageId === 'msg_first');
    expect({ source, ...data }).toMatchObject({
      source: 'webhook',
      account: 'main',
      chat: { kind: 'group', id: 'room-1' },
      threadId: 't1',
      sender: { id: 'u1', name: 'Ada' },
      text: 'Hello',
    });
  });

  it('accepts the previous key while keys are replaced', async () => {
    expect((await call(message('old key'), { secret: OLD_SECRET })).status).toBe(202);
  });

  it('states a repeated request once', async () => {
    for (let turn = 0; turn < 3; turn += 1) expect((await call(message('again'), { id: 'msg_again' })).status).toBe(202);
    await call(message('behind it'), { id: 'msg_behind' });
    await mesh.event('message-received', ({ data }) => data.messageId === 'msg_behind');
    expect(mesh.events.filter(({ data }) => data.messageId === 'msg_again')).toHaveLength(1);
  });

  it.each([
    ['a wrong key', () => call(message(), { secret: 'some other secret of theirs' }), 401],
    ['a signature of another body', () => call(message(), { headers: signedHeaders('x', Date.now(), Buffer.from('{}'), [signingKey(SECRET)]) }), 401],
    ['no signature', () => fetch(inbound, { method: 'POST', body: '{}' }), 401],
    ['a message from yesterday', () => call(message(), { at: Date.now() - 86_400_000 }), 401],
    ['a message from tomorrow', () => call(message(), { at: Date.now() + 86_400_000 }), 401],
    ['something that is no JSON', () => call('{"chat":'), 400],
    ['a prototype in the body', () => call('{"__proto__":{"a":1},"text":"x"}'), 400],
    ['a direct message in another chat', () => call({ chat: { kind: 'dm', id: 'c1' }, sender: { id: 'u1' }, text: 'x' }), 400],
    ['a message without a chat', () => call({ text: 'x', sender: { id: 'u' } }), 400],
    ['a body that is too large', () => call(message('x'.repeat(5_000))), 413],
    ['an account that does not exist', () => call(message(), { url: inbound.replace('/main', '/nobody') }), 404],
    ['another tenant', () => call(message(), { url: inbound.replace('/acme/', '/other/') }), 404],
    ['a GET', () => fetch(inbound), 405],
  ])('refuses %s', async (_what, attempt, status) => {
    const before = mesh.events.length;
    const response = await attempt();
    expect(response.status).toBe(status);
    expect(await response.text()).not.toContain(SECRET);
    expect(mesh.events.slice(before).filter(({ name }) => name === 'message-received')).toEqual([]);
  });

  it('refuses an endless body as soon as it is too large', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const endless = request(inbound, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } }, (response) => resolve(response.statusCode));
      endless.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve(413) : reject(error)));
      for (let chunk = 0; chunk < 10; chunk += 1) endless.write('x'.repeat(1_000));
    });
    expect(status).toBe(413);
  });

  it('posts a message that the receiver can verify, and passes on the id it is given', async () => {
    const attachments = [{ kind: 'file' as const, url: 'https://example.org/report.pdf', name: 'report.pdf' }];
    await mesh.send('webhook', { sendId: 'out', to: 'room-1', threadId: 't1', text: 'Answer', attachments });
    expect((await mesh.outcome('out')).data).toMatchObject({ messageId: 'theirs-1' });
    const [got] = receiver.calls;
    expect(got?.body).toEqual({
      type: 'message.send',
      account: 'main',
      idempotencyKey: 'out:0',
      sendId: 'out',
      part: { index: 0, count: 1 },
      to: 'room-1',
      threadId: 't1',
      text: 'Answer',
      attachments,
    });
    const { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': signature, 'x-team': team } = got?.headers ?? {};
    const expected = signedHeaders(String(id), Number(seconds) * 1_000, Buffer.from(got?.text ?? ''), [signingKey(SECRET), signingKey(OLD_SECRET)]);
    expect({ id, team, signature }).toEqual({ id: 'out:0', team: 'ops', signature: expected['webhook-signature'] });
  });

  it('repeats what may pass under the same id, within its budget', async () => {
    receiver.once('/hook', { status: 503 });
    receiver.once('/hook', 'hang');
    await mesh.send('webhook', { sendId: 'flaky', account: 'patient', to: 'room-1', text: 'flaky' });
    expect((await mesh.outcome('flaky')).name).toBe('send-succeeded');
    expect(receiver.calls.filter(({ body }) => body.sendId === 'flaky').map(({ headers }) => headers['webhook-id'])).toEqual(['flaky:0', 'flaky:0', 'flaky:0']);
  });

  it.each([
    ['a request to wait', { status: 429, headers: { 'retry-after': '7' } }, { status: 429, retryAfterMs: 7_000 }, 1],
    ['a refusal', { status: 401, body: { error: 'who are you' } }, { code: 'AUTH_FAILED', status: 401, message: 'HTTP 401: {"error":"who are you"}' }, 1],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, { status: 302, message: 'HTTP 302 (redirects are not followed): {}' }, 1],
  ])('reports %s without repeating it', async (what, reply, error, calls) => {
    // Each in an account of its own: one that asked for a pause keeps it.
    await mesh.configure({
      webhook: { accounts: { [what.replaceAll(' ', '-')]: { settings: { url: `${receiver.url}/hook`, signingSecret: mesh.secret('secret', SECRET) } } } },
    });
    await mesh.state(what.replaceAll(' ', '-'), 'up');
    receiver.once('/hook', reply);
    await mesh.send('webhook', { sendId: what, account: what.replaceAll(' ', '-'), to: 'r', text: what });
    expect((await mesh.outcome(what)).data.error).toMatchObject(error);
    expect(receiver.calls.filter(({ body }) => body.sendId === what)).toHaveLength(calls);
  });

  it('shows an account whose address the operator did not allow, and one with unsafe settings', async () => {
    const down = await waitFor(() => mesh.events.find(({ name, data }) => name === 'account-state' && data.account === 'inside'), {
      what: 'the state of inside',
    });
    expect(down.data).toMatchObject({ state: 'down', reason: expect.stringContaining('169.254.169.254 is not a public address') });
    const unsafe = await mesh.event('account-state', ({ data }) => data.account === 'unsafe');
    expect(unsafe.data).toMatchObject({ state: 'down', reason: 'signingSecret: must have at least 16 characters' });
  });
});
