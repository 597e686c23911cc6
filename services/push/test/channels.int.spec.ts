import { randomBytes } from 'node:crypto';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { err, ok } from '@plexus/kernel';
import { allowedHosts, type GuardedFetch, guardedFetch, guardedLookup } from '@plexus/service-kit';
import { waitFor } from '@plexus/testing';
import webPush from 'web-push';
import { EmailProvider } from '../src/adapters/channels/email.provider.js';
import { WebhookProvider } from '../src/adapters/channels/webhook.provider.js';
import { WebPushProvider } from '../src/adapters/channels/webpush.provider.js';
import type { ChannelMessage, ChannelProvider, ChannelTarget } from '../src/application/channel-provider.js';
import type { Channels } from '../src/application/channel-settings.js';
import { BrowserStandIn, HttpStandIn, isSigned, SmtpStandIn, vapidClaims } from './support/channel-stand-ins.js';

const SECRET = `whsec_${randomBytes(24).toString('base64')}`;
const PASSWORD = 'correct horse battery staple';
const vapid = webPush.generateVAPIDKeys();
const NOW = Date.UTC(2026, 10, 21, 10);

const message = (rest: Partial<ChannelMessage> = {}): ChannelMessage => ({
  tenant: 'acme',
  user: 'me',
  id: 'dlv_1',
  purpose: 'delivery',
  priority: 'P1',
  title: 'Import finished',
  lines: ['12 rows', '<b>3</b> rejected'],
  data: { deliveryId: 'dlv_1', level: 0 },
  at: NOW,
  ...rest,
});
const target = (address: string, details: Record<string, unknown> = {}): ChannelTarget => ({ id: 'cnt_1', address, details });

/** Settings of one tenant; whatever is in `secrets` can be resolved. */
class Settings implements Channels {
  settings: Record<string, unknown> = {};
  secrets: Record<string, string> = { SIGN: SECRET, PASS: PASSWORD, VAPID: vapid.privateKey };
  settingsOf<C extends string>(_tenant: string, channel: C) {
    return this.settings[channel] as never;
  }
  secret(_tenant: string, reference: unknown) {
    const value = this.secrets[(reference as { env: string }).env];
    return value === undefined ? err(`the variable ${(reference as { env: string }).env} is not set, or empty`) : ok(value);
  }
}

describe('channels outside the inbox', () => {
  let settings: Settings;
  const opened: GuardedFetch[] = [];
  const stops: (() => unknown)[] = [];
  const http = (options: Partial<Parameters<typeof guardedFetch>[0]> = {}) => {
    const made = guardedFetch({ allowPrivate: allowedHosts('127.0.0.1'), maxAnswerBytes: 4_096, maxSockets: 4, ...options });
    opened.push(made);
    return made;
  };
  const send = (provider: ChannelProvider, what: ChannelMessage, to: ChannelTarget, timeoutMs = 20_000) =>
    provider.send(what, to, { timeoutMs, signal: AbortSignal.timeout(timeoutMs) });
  beforeEach(() => {
    settings = new Settings();
  });
  afterEach(async () => {
    for (const made of opened.splice(0)) made.close();
    for (const stop of stops.splice(0)) await stop();
  });
  async function server(): Promise<HttpStandIn> {
    const standIn = await HttpStandIn.start();
    stops.push(() => standIn.stop());
    return standIn;
  }

  describe('webhook', () => {
    const webhook = (options?: Parameters<typeof http>[0]) => new WebhookProvider(settings, http(options), () => NOW);
    beforeEach(() => {
      settings.settings.webhook = { signingSecret: { env: 'SIGN' } };
    });

    it('is signed, names the delivery, and says the same at every repeat', async () => {
      const receiver = await server();
      const provider = webhook();
      for (let n = 0; n < 2; n += 1) expect(await send(provider, message(), target(`${receiver.url}/hook?x=1`))).toEqual({ kind: 'sent' });
      const [first, second] = receiver.requests;
      expect(first && isSigned(first, SECRET)).toBe(true);
      expect(first).toMatchObject({ method: 'POST', path: '/hook?x=1', headers: { 'webhook-id': 'dlv_1', 'content-type': 'application/json' } });
      expect(JSON.parse(String(first?.body))).toEqual({
        type: 'push.delivery',
        timestamp: '2026-11-21T10:00:00.000Z',
        data: { user: 'me', title: 'Import finished', deliveryId: 'dlv_1', level: 0 },
      });
      expect(second?.body).toEqual(first?.body);
    });

    it.each([
      [200, { kind: 'sent' }],
      [301, { kind: 'refused', error: 'http_301' }],
      [307, { kind: 'refused', error: 'http_307' }],
      [400, { kind: 'refused', error: 'http_400' }],
      [401, { kind: 'refused', error: 'http_401' }],
      [404, { kind: 'refused', error: 'http_404' }],
      [410, { kind: 'gone', error: 'http_410' }],
      [408, { kind: 'retry', error: 'http_408', endpointFault: true }],
      [429, { kind: 'retry', error: 'http_429', endpointFault: false, afterMs: 7_000 }],
      [500, { kind: 'retry', error: 'http_500', endpointFault: true }],
      [503, { kind: 'retry', error: 'http_503', endpointFault: true, afterMs: 60_000 }],
    ] as const)('an answer %s is %j, and no redirect is followed', async (status, outcome) => {
      const [receiver, elsewhere] = await Promise.all([server(), server()]);
      const headers: Record<string, string> = status < 400 && status >= 300 ? { location: `${elsewhere.url}/` } : {};
      if (status === 429) headers['retry-after'] = '7';
      if (status === 503) headers['retry-after'] = new Date(NOW + 60_000).toUTCString();
      receiver.answer = { status, headers, body: 'no' };
      expect(await send(webhook(), message(), target(receiver.url))).toEqual(outcome);
      expect(elsewhere.requests).toEqual([]);
    });

    it('that was taken is not sent again because its answer is long, or never ends', async () => {
      const receiver = await server();
      receiver.answers.push(
        { status: 200, body: 'x'.repeat(10_000) },
        { status: 202, body: 'x', instead: 'trickle' },
        { status: 503, body: 'x'.repeat(10_000) },
      );
      expect(await send(webhook(), message(), target(receiver.url))).toEqual({ kind: 'sent' });
      expect(await send(webhook(), message(), target(receiver.url), 600_000)).toEqual({ kind: 'sent' });
      await waitFor(async () => (await receiver.connections()) === 0, { what: 'the connection that is of no use any more to be gone' });
      expect(await send(webhook(), message(), target(receiver.url))).toEqual({ kind: 'retry', error: 'http_503', endpointFault: true });
    });

    it('that finds nobody or is broken off is tried again', async () => {
      const receiver = await server();
      receiver.answers.push({ instead: 'break' });
      expect(await send(webhook(), message(), target(receiver.url))).toEqual({ kind: 'retry', error: 'econnreset', endpointFault: true });
      const { url } = receiver;
      await receiver.stop();
      expect(await send(webhook(), message(), target(url))).toEqual({ kind: 'retry', error: 'econnrefused', endpointFault: true });
    });

    it('ends when it is given up, with the connection', async () => {
      const receiver = await server();
      receiver.answer = { instead: 'hang' };
      await expect(send(webhook(), message(), target(receiver.url), 300)).rejects.toBeDefined();
    });

    it.each([
      'http://127.0.0.1:PORT/',
      'http://127.1:PORT/',
      'http://2130706433:PORT/',
      'http://0.0.0.0:PORT/',
      'http://[::1]:PORT/',
      'http://[::]:PORT/',
      'http://[::ffff:127.0.0.1]:PORT/',
      'http://[::ffff:7f00:1]:PORT/',
      'http://localhost:PORT/',
      'http://169.254.169.254/latest/meta-data/',
      'http://10.0.0.1/',
      'http://[fd00::1]/',
      'http://[fe80::1]/',
      'http://[64:ff9b::7f00:1]/',
    ])('does not reach %s', async (address) => {
      const receiver = await server();
      const outcome = await send(webhook({ allowPrivate: false }), message(), target(address.replace('PORT', String(receiver.port))));
      expect(outcome).toEqual({ kind: 'refused', error: 'address_not_allowed' });
      expect(receiver.requests).toEqual([]);
    });

    it('judges a name by the address that is connected to, also when it leads elsewhere the second time', async () => {
      const receiver = await server();
      const answers = ['93.184.216.34', '127.0.0.1'];
      const lookup = guardedLookup(
        () => false,
        (_name, _options, done) => done(null, [{ address: answers.shift() ?? '127.0.0.1', family: 4 }]),
      );
      // What somebody looked up before connecting was public; the connection itself is judged by its own look-up.
      await new Promise((resolve) => lookup('rebound.example', { all: true }, resolve));
      const provider = webhook({ allowPrivate: false, lookup });
      expect(await send(provider, message(), target(`http://rebound.example:${receiver.port}/`))).toEqual({ kind: 'refused', error: 'address_not_allowed' });
      expect(receiver.requests).toEqual([]);
    });

    it.each(['ftp://127.0.0.1/', 'file:///etc/passwd', 'nonsense', 'http://user:word@127.0.0.1/'])('refuses the address %s', async (address) => {
      expect(await send(webhook(), message(), target(address))).toEqual({ kind: 'refused', error: 'bad_address' });
    });

    it('is not sent unsigned: without a secret the channel is not configured, and one that is missing is waited for', async () => {
      const receiver = await server();
      settings.secrets = {};
      expect(await send(webhook(), message(), target(receiver.url))).toEqual({
        kind: 'retry',
        error: 'push.channels.webhook.signingSecret: the variable SIGN is not set, or empty',
        endpointFault: false,
      });
      settings.settings.webhook = {};
      expect(await send(webhook(), message(), target(receiver.url))).toEqual({ kind: 'unconfigured', error: 'not_configured' });
      expect(receiver.requests).toEqual([]);
    });
  });

  describe('mail', () => {
    let smtp: SmtpStandIn;
    const email = (allows = '127.0.0.1') => new EmailProvider(settings, allowedHosts(allows));
    const to = target('you@example.org');
    beforeEach(async () => {
      smtp = await SmtpStandIn.start();
      stops.push(() => smtp.stop());
      settings.settings.email = { host: '127.0.0.1', port: smtp.port, security: 'none', from: 'Plexus <push@acme.example>' };
    });

    it('says it as text and as HTML, with one Message-ID at every repeat and a way to unsubscribe', async () => {
      expect(await send(email(), message(), to)).toEqual({ kind: 'sent' });
      expect(await send(email(), message(), to)).toEqual({ kind: 'sent' });
      expect(await send(email(), message({ id: 'dlv_1:1' }), to)).toEqual({ kind: 'sent' });
      const [first, again, escalated] = smtp.mails;
      expect(first).toMatchObject({ subject: 'Import finished', from: { address: 'push@acme.example', name: 'Plexus' }, to: [{ address: 'you@example.org' }] });
      expect(first?.text).toContain('12 rows\n<b>3</b> rejected');
      expect(first?.html).toContain('<li>&lt;b&gt;3&lt;/b&gt; rejected</li>');
      expect(first?.messageId).toMatch(/^<[0-9a-f]{40}@acme\.example>$/);
      expect(again?.messageId).toBe(first?.messageId);
      expect(escalated?.messageId).not.toBe(first?.messageId);
      const header = (name: string) => first?.headers.find(({ key }) => key === name)?.value;
      expect(header('list-unsubscribe')).toBe('<mailto:push@acme.example?subject=unsubscribe>');
      expect(header('auto-submitted')).toBe('auto-generated');
    });

    it('cannot be given headers by what it tells of', async () => {
      await send(email(), message({ title: 'Hello\r\nBcc: all@example.org', lines: ['.', '\r\n.\r\nMAIL FROM:<x@y>'] }), to);
      expect(smtp.mails).toHaveLength(1);
      expect(smtp.raw[0]?.split('\r\n\r\n')[0]).not.toMatch(/^Bcc:/im);
      expect(smtp.mails[0]?.subject).toContain('Hello');
    });

    it.each([
      [
        { stage: 'RCPT', code: 550, text: '5.1.1 you@example.org unknown' },
        { kind: 'refused', error: 'smtp_550 5.1.1' },
      ],
      [
        { stage: 'RCPT', code: 451, text: '4.7.1 greylisted' },
        { kind: 'retry', error: 'smtp_451 4.7.1', endpointFault: false },
      ],
      [
        { stage: 'DATA', code: 554, text: 'no thanks' },
        { kind: 'refused', error: 'smtp_554' },
      ],
      [
        { stage: 'DATA', code: 452, text: '4.3.1 full' },
        { kind: 'retry', error: 'smtp_452 4.3.1', endpointFault: false },
      ],
      [
        { stage: 'RCPT', code: 421, text: '4.3.2 closing' },
        { kind: 'retry', error: 'smtp_421 4.3.2', endpointFault: true },
      ],
    ] as const)('%j is %j', async (refusal, outcome) => {
      smtp.refusals.push(refusal);
      expect(await send(email(), message(), to)).toEqual(outcome);
      expect(smtp.mails).toEqual([]);
    });

    it('logs in with a password by reference; a refused login quotes nothing and is tried again', async () => {
      settings.settings.email = { ...(settings.settings.email as object), user: 'push', password: { env: 'PASS' } };
      expect(await send(email(), message(), to)).toEqual({ kind: 'sent' });
      expect(smtp.logins).toEqual([{ user: 'push', password: PASSWORD }]);
      smtp.refusals.push({ stage: 'AUTH', code: 535, text: `5.7.8 ${PASSWORD} is wrong` });
      expect(await send(email(), message(), to)).toEqual({ kind: 'retry', error: 'smtp_login_refused', endpointFault: true });
      settings.secrets = {};
      const unresolved = await send(email(), message(), to);
      expect(unresolved).toMatchObject({ kind: 'retry', error: expect.stringContaining('push.channels.email.password: the variable PASS') });
    });

    it('goes over TLS that can be trusted, or not at all', async () => {
      settings.settings.email = { ...(settings.settings.email as object), security: 'starttls', user: 'push', password: { env: 'PASS' } };
      expect(await send(email(), message(), to)).toMatchObject({ kind: 'retry', endpointFault: true });
      expect(smtp.logins).toEqual([]);
      expect(smtp.mails).toEqual([]);
    });

    it('follows the configuration as it is at the moment', async () => {
      const provider = email();
      settings.settings.email = undefined;
      expect(await send(provider, message(), to)).toEqual({ kind: 'unconfigured', error: 'not_configured' });
      settings.settings.email = { host: '127.0.0.1', port: smtp.port, security: 'none', from: 'other@acme.example' };
      await send(provider, message(), to);
      expect(smtp.mails[0]?.from?.address).toBe('other@acme.example');
    });

    it.each(['127.0.0.1', 'localhost', '::1', '0.0.0.0'])('does not reach the private host %s', async (host) => {
      settings.settings.email = { ...(settings.settings.email as object), host };
      expect(await send(email(''), message(), to)).toEqual({ kind: 'refused', error: 'address_not_allowed' });
    });

    it('that finds no server, or one that says nothing, is tried again', async () => {
      await smtp.stop();
      expect(await send(email(), message(), to)).toEqual({ kind: 'retry', error: 'econnrefused', endpointFault: true });
      const sockets: Socket[] = [];
      const silent = createServer((socket) => sockets.push(socket));
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      settings.settings.email = { ...(settings.settings.email as object), port: (silent.address() as AddressInfo).port };
      stops.push(() => {
        for (const socket of sockets) socket.destroy();
        return new Promise((resolve) => silent.close(resolve));
      });
      const outcome = await email().send(message(), to, { timeoutMs: 300, signal: new AbortController().signal });
      expect(outcome).toMatchObject({ kind: 'retry', endpointFault: true });
    });

    it.each(['nobody', 'a@b@c', 'a@b, c@d', '"x" <a@b>', 'a@b\r\nRCPT TO:<c@d>'])('refuses the address %j', async (address) => {
      expect(await send(email(), message(), target(address))).toEqual({ kind: 'refused', error: 'bad_address' });
    });
  });

  describe('Web Push', () => {
    const browser = new BrowserStandIn();
    const webpush = (options?: Parameters<typeof http>[0]) => new WebPushProvider(settings, http(options), () => NOW);
    beforeEach(() => {
      settings.settings.webpush = { publicKey: vapid.publicKey, privateKey: { env: 'VAPID' }, subject: 'mailto:ops@acme.example' };
    });

    it('reaches the browser encrypted and signed, with urgency, topic and the time it is worth', async () => {
      const service = await server();
      const provider = webpush();
      const to = target(`${service.url}/push/abc`, { keys: browser.keys });
      expect(await send(provider, message({ priority: 'P0', expiresAt: NOW + 90_000 }), to)).toEqual({ kind: 'sent' });
      expect(await send(provider, message({ priority: 'P3' }), to)).toEqual({ kind: 'sent' });
      const [first, second] = service.requests;
      expect(JSON.parse(browser.read(first?.body as Buffer))).toEqual({
        type: 'delivery',
        title: 'Import finished',
        body: '12 rows\n<b>3</b> rejected',
        priority: 'P0',
        timestamp: NOW,
        deliveryId: 'dlv_1',
        tag: 'dlv_1',
      });
      expect(first?.headers).toMatchObject({
        ttl: '90',
        urgency: 'high',
        'content-encoding': 'aes128gcm',
        topic: expect.stringMatching(/^[A-Za-z0-9_-]{32}$/),
      });
      expect(second?.headers).toMatchObject({ ttl: '86400', urgency: 'low', topic: first?.headers.topic });
      expect(vapidClaims(String(first?.headers.authorization), vapid.publicKey)).toMatchObject({ aud: service.url, sub: 'mailto:ops@acme.example' });
    });

    it.each([
      [201, { kind: 'sent' }],
      [404, { kind: 'gone', error: 'http_404' }],
      [410, { kind: 'gone', error: 'http_410' }],
      [413, { kind: 'refused', error: 'http_413' }],
      [403, { kind: 'refused', error: 'http_403' }],
      [429, { kind: 'retry', error: 'http_429', endpointFault: false }],
      [502, { kind: 'retry', error: 'http_502', endpointFault: true }],
    ] as const)('an answer %s of the push service is %j', async (status, outcome) => {
      const service = await server();
      service.answer = { status };
      expect(await send(webpush(), message(), target(service.url, { keys: browser.keys }))).toEqual(outcome);
    });

    it('fits a push message however much there is to say', async () => {
      const service = await server();
      const lines = Array.from({ length: 20 }, (_, n) => `${n} ${'ä'.repeat(290)}`);
      expect(await send(webpush(), message({ lines }), target(service.url, { keys: browser.keys }))).toEqual({ kind: 'sent' });
      const body = service.requests[0]?.body as Buffer;
      expect(body.length).toBeLessThan(4_096);
      expect(JSON.parse(browser.read(body)).body).toMatch(/^0 ä/);
    });

    it('refuses keys that are none, and private addresses', async () => {
      const service = await server();
      expect(await send(webpush(), message(), target(service.url))).toEqual({ kind: 'refused', error: 'bad_address' });
      expect(await send(webpush(), message(), target(service.url, { keys: { p256dh: 'x', auth: 'y' } }))).toEqual({ kind: 'refused', error: 'bad_keys' });
      const outcome = await send(webpush({ allowPrivate: false }), message(), target(service.url, { keys: browser.keys }));
      expect(outcome).toEqual({ kind: 'refused', error: 'address_not_allowed' });
      expect(service.requests).toEqual([]);
    });
  });
});
