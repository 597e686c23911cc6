import { ulid } from '@plexus/kernel';
import { ManagedChanges } from '../src/adapters/postgres/managing/managed-changes.js';
import { PostgresContacts } from '../src/adapters/postgres/managing/postgres-contacts.js';
import type { CodeSender, SendOutcome } from '../src/application/channel-provider.js';
import { ManageContacts } from '../src/application/managing/manage-contacts.js';
import { openPushDatabase, type PushDatabase, readableEntries } from './support/push-on-postgres.js';

const MINUTE = 60_000;

describe('addresses outside the inbox, on a real Postgres', () => {
  let push: PushDatabase;
  let now: number;
  let outcome: SendOutcome;
  let sent: Parameters<CodeSender['sendCode']>[0][];
  let contacts: ManageContacts;
  const me = { tenant: 'acme', user: 'me' };
  const email = { channel: 'email' as const, address: 'Me@Example.org', details: {} };
  const lastCode = () => sent.at(-1)?.code as string;

  let store: PostgresContacts;

  beforeAll(async () => {
    push = await openPushDatabase();
    store = new PostgresContacts(new ManagedChanges(push.replica().database, readableEntries, () => undefined));
  });
  afterAll(() => push.close());
  beforeEach(async () => {
    await push.rows('DELETE FROM contact');
    now = Date.parse('2026-11-21T10:00:00Z');
    outcome = { kind: 'sent' };
    sent = [];
    const codes: CodeSender = {
      sendCode: async (to) => {
        sent.push(to);
        return outcome;
      },
    };
    let count = 10_000_000;
    const newCode = () => {
      count += 1;
      return String(count);
    };
    contacts = new ManageContacts(store, codes, () => ulid(), newCode, { now: () => now });
  });

  it('an e-mail address is used once its code came back', async () => {
    const { contact, codeSent } = await contacts.add(me, { ...email, label: 'work' });
    expect({ contact, codeSent }).toMatchObject({ codeSent: true, contact: { address: 'Me@example.org', label: 'work' } });
    expect(contact.verifiedAt).toBeUndefined();
    expect(sent).toMatchObject([
      { tenant: 'acme', user: 'me', channel: 'email', target: { id: contact.id, address: 'Me@example.org' }, expiresAt: now + 15 * MINUTE },
    ]);
    const stored = await push.rows<{ code_hash: string }>('SELECT code_hash FROM contact');
    expect(stored[0]?.code_hash).not.toContain(lastCode());
    expect(await contacts.verify(me, contact.id, lastCode())).toMatchObject({ verifiedAt: now });
    // Once more is no harm; neither is adding it again.
    expect(await contacts.verify(me, contact.id, 'whatever')).toMatchObject({ verifiedAt: now });
    expect(await contacts.add(me, email)).toMatchObject({ created: false, codeSent: false, contact: { id: contact.id } });
    expect(await contacts.sendCode(me, contact.id)).toEqual({ codeSent: false });
  });

  it('a code holds for fifteen minutes and five attempts, and only the last one', async () => {
    const { contact } = await contacts.add(me, email);
    const first = lastCode();
    now += 15 * MINUTE;
    await expect(contacts.verify(me, contact.id, first)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await contacts.sendCode(me, contact.id);
    await expect(contacts.verify(me, contact.id, first)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    for (let attempt = 2; attempt <= 5; attempt += 1) await expect(contacts.verify(me, contact.id, 'wrong')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(contacts.verify(me, contact.id, lastCode())).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    now += MINUTE;
    await contacts.sendCode(me, contact.id);
    expect(await contacts.verify(me, contact.id, lastCode())).toMatchObject({ verifiedAt: now });
  });

  it('an address is sent at most a code a minute and five a day', async () => {
    const { contact } = await contacts.add(me, email);
    await expect(contacts.sendCode(me, contact.id)).rejects.toMatchObject({ code: 'RATE_LIMITED', details: { retryAfterMs: MINUTE } });
    for (let n = 2; n <= 5; n += 1) {
      now += MINUTE;
      await contacts.sendCode(me, contact.id);
    }
    now += MINUTE;
    await expect(contacts.sendCode(me, contact.id)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    now += 24 * 60 * MINUTE;
    await expect(contacts.sendCode(me, contact.id)).resolves.toMatchObject({ codeSent: true });
    expect(sent).toHaveLength(6);
  });

  it('removing addresses and adding them again does not get around the limits', async () => {
    const spam = async () => {
      for (let n = 0; n < 40; n += 1) {
        const { contact } = await contacts.add(me, { ...email, address: `victim@example${n}.org` });
        await contacts.remove(me, contact.id);
      }
    };
    await expect(spam()).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(sent.length).toBeLessThanOrEqual(30);
  });

  it.each<[SendOutcome, string, number]>([
    [{ kind: 'unconfigured', error: 'not_configured' }, 'CHANNEL_NOT_CONFIGURED', 0],
    [{ kind: 'refused', error: 'bad_address' }, 'DELIVERY_FAILED', 0],
    [{ kind: 'retry', error: 'timeout', endpointFault: true }, 'UNAVAILABLE', 1],
  ])('%j is told as %s and leaves %s contacts', async (failure, code, left) => {
    outcome = failure;
    await expect(contacts.add(me, email)).rejects.toMatchObject({ code });
    expect(await contacts.list(me)).toHaveLength(left);
  });

  it('a browser is used at once, and comes back with new keys after it was gone', async () => {
    const browser = { channel: 'webpush' as const, address: 'https://push.example.org/1', details: { keys: { p256dh: 'a', auth: 'b' } } };
    const { contact } = await contacts.add(me, browser);
    expect(contact).toMatchObject({ verifiedAt: now, details: browser.details });
    await push.rows("UPDATE contact SET disabled_reason = 'gone'");
    const renewed = { ...browser, details: { keys: { p256dh: 'c', auth: 'd' } } };
    const again = await contacts.add(me, renewed);
    expect(again).toMatchObject({ created: false, contact: { id: contact.id, details: renewed.details } });
    const [only] = await contacts.list(me, 'webpush');
    expect(only?.disabledReason).toBeUndefined();
    expect(sent).toEqual([]);
  });

  it('an address that was gone is proven anew when it is added again', async () => {
    const hook = { channel: 'webhook' as const, address: 'https://hooks.example.org/1', details: {} };
    const { contact } = await contacts.add(me, hook);
    await contacts.verify(me, contact.id, lastCode());
    await push.rows("UPDATE contact SET disabled_reason = 'http_410'");
    now += MINUTE;
    expect(await contacts.add(me, hook)).toMatchObject({ created: false, codeSent: true, contact: { id: contact.id } });
    const [asked] = await contacts.list(me);
    expect([asked?.verifiedAt, asked?.disabledReason]).toEqual([undefined, undefined]);
    expect(await contacts.verify(me, contact.id, lastCode())).toMatchObject({ verifiedAt: now });
  });

  it('nobody proves, removes or lists what is somebody else’s', async () => {
    const { contact } = await contacts.add(me, email);
    for (const stranger of [
      { tenant: 'acme', user: 'you' },
      { tenant: 'other', user: 'me' },
    ]) {
      await expect(contacts.verify(stranger, contact.id, lastCode())).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(contacts.sendCode(stranger, contact.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(contacts.remove(stranger, contact.id)).resolves.toBe(false);
      await expect(contacts.list(stranger)).resolves.toEqual([]);
    }
    await expect(contacts.remove(me, contact.id)).resolves.toBe(true);
    await expect(contacts.remove(me, contact.id)).resolves.toBe(false);
  });

  it('twenty addresses are enough for anybody, and the same one twenty times at once is one', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => contacts.add(me, email)));
    expect(answers.filter(({ created, codeSent }) => created && codeSent)).toHaveLength(1);
    expect(sent).toHaveLength(1);
    expect(await contacts.list(me)).toHaveLength(1);
    const browser = (n: number) => ({ channel: 'webpush' as const, address: `https://push.example.org/${n}`, details: { keys: { p256dh: 'a', auth: 'b' } } });
    for (let n = 1; n < 20; n += 1) await contacts.add(me, browser(n));
    await expect(contacts.add(me, browser(20))).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });
});
