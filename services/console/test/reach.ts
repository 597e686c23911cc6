import { createECDH } from 'node:crypto';
import { waitFor } from '@plexus/testing';
import type { Browser, Page } from 'playwright-core';
import { picture, settled, visit, WAIT } from './support/browser.js';
import type { World } from './support/world.js';

/** How people are reached, and what happens by itself. */
export function describeReach(given: () => { readonly world: World; readonly browser: Browser; readonly page: Page }): void {
  const go = async (place: string): Promise<Page> => {
    const { world, page } = given();
    await page.goto(`${world.address}${place}`);
    await settled(page);
    return page;
  };

  describe('being reached', () => {
    it('keeps quiet hours, and silences something for a while', async () => {
      const page = await go('/reach');
      const silences = page.getByRole('region', { name: /^Change / });
      await page.getByLabel('From', { exact: true }).fill('21:30');
      await page.getByLabel('Time zone').fill('Europe/Berlin');
      await page.getByRole('region', { name: 'Quiet hours' }).getByRole('button', { name: 'Save' }).click();
      await page.getByText('21:30 – 07:00 Europe/Berlin').waitFor(WAIT);
      await page.getByLabel('Which', { exact: true }).fill('case-9');
      await page.getByLabel('Why', { exact: true }).fill('Planned work on the pipeline');
      await page.getByRole('button', { name: 'Silence', exact: true }).click();
      await page.getByRole('rowheader', { name: 'case = case-9' }).waitFor(WAIT);
      await page.evaluate(() => window.scrollTo(0, 0));
      await picture(page, 'reach');
      await page.getByRole('button', { name: 'Change case = case-9' }).click();
      expect(await page.getByLabel('For how long').inputValue()).toBe('same');
      await page.getByLabel('Which', { exact: true }).fill('case-10');
      await page.getByRole('button', { name: 'One more condition' }).click();
      await page.getByLabel('What', { exact: true }).last().selectOption('severity');
      await page.getByLabel('Which', { exact: true }).last().fill('low');
      await page.getByLabel('Why', { exact: true }).fill('It takes longer');
      await silences.getByRole('button', { name: 'Save' }).click();
      await page.getByRole('row', { name: /case = case-10, severity = low.*It takes longer.*silent/ }).waitFor(WAIT);
      await page.getByRole('row', { name: /case = case-9 .*over/ }).waitFor(WAIT);
      await page.getByRole('button', { name: 'End the silence of case = case-10, severity = low' }).click();
      await page.getByRole('row', { name: /case = case-10.*over/ }).waitFor(WAIT);
      await page.getByRole('button', { name: 'Switch off' }).click();
      await page.getByText('off', { exact: true }).waitFor(WAIT);
    });

    it('hears of something on the channels that somebody wants, and of nothing else', async () => {
      const page = await go('/reach');
      const wishes = page.getByRole('region', { name: 'What you want to hear of, and where' });
      await wishes.getByLabel('Which one').fill('com.acme.import.*');
      await wishes.getByLabel('Where', { exact: true }).selectOption('email');
      await wishes.getByRole('button', { name: 'Say it' }).click();
      const wanted = (checked: boolean) => wishes.getByRole('checkbox', { name: 'Wanted: com.acme.import.*, E-mail', checked });
      await wanted(false).waitFor(WAIT);
      await wanted(false).click();
      await wanted(true).waitFor(WAIT);
      const { own } = await given().world.call<{ own: { preferences: object[] } }>('GET', '/v1/preferences');
      expect(own.preferences).toMatchObject([{ match: { types: ['com.acme.import.*'] }, channel: 'email', value: 'on' }]);
      await picture(page, 'wishes');
      await wishes.getByRole('button', { name: 'Remove com.acme.import.*, E-mail' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
      await wishes.getByText('Nothing is said').waitFor(WAIT);
    });

    it('adds the browser as a contact where the tenant has Web Push, and what is pushed is shown', async () => {
      const { world, browser } = given();
      const page = await go('/reach');
      await page.getByRole('button', { name: 'Add and send a code' }).waitFor(WAIT);
      expect(await page.getByRole('button', { name: 'Tell me in this browser' }).count()).toBe(0);

      const key = Buffer.from(createECDH('prime256v1').generateKeys()).toString('base64url');
      const { revision, hash } = await world.call<{ revision: number; hash: string }>('GET', '/v1/config');
      const webpush = { publicKey: key, privateKey: { env: 'NOBODY_SETS_IT' }, subject: 'mailto:ops@example.org' };
      await world.call('PATCH', '/v1/config', { push: { channels: { webpush } } }, undefined, { 'if-match': `"${revision}-${hash}"` });

      const { page: mine, context, problems } = await visit(browser, { address: world.address, token: world.mesh.token });
      await context.grantPermissions(['notifications'], { origin: world.address });
      // The push service of the browser's maker is not here; everything else is the browser's own.
      await mine.addInitScript(() => {
        const keys = { p256dh: 'B'.repeat(87), auth: 'A'.repeat(22) };
        let made: object | null = null;
        const gone = async () => {
          made = null;
          return true;
        };
        PushManager.prototype.getSubscription = async () => made as PushSubscription | null;
        PushManager.prototype.subscribe = async (options) => {
          const endpoint = 'https://push.example.org/of-this-browser';
          made = { endpoint, options, toJSON: () => ({ endpoint, keys }), unsubscribe: gone };
          return made as PushSubscription;
        };
      });
      const offered = mine.getByRole('button', { name: 'Tell me in this browser' });
      // The key is there a moment after the configuration.
      await waitFor(async () => (await world.call<{ webPushKey?: string }>('GET', '/v1/contacts')).webPushKey === key, { what: 'the key of the tenant' });
      await mine.goto(`${world.address}/reach`);
      await settled(mine);
      await offered.click();
      await mine.getByText('This browser is told.').waitFor(WAIT);
      const { contacts } = await world.call<{ contacts: object[] }>('GET', '/v1/contacts?channel=webpush');
      expect(contacts).toMatchObject([{ address: 'https://push.example.org/of-this-browser', verified: true, label: expect.stringContaining('Chrome') }]);

      await deliverPush(mine, world.address, { title: 'The import has finished.', body: '3 reports are new.', tag: 'dlv_1' });
      const shown = () =>
        mine.evaluate(async () => {
          const registration = await navigator.serviceWorker.ready;
          return (await registration.getNotifications()).map(({ title, body, tag }) => [title, body, tag]);
        });
      expect(await waitFor(async () => ((await shown()).length > 0 ? shown() : undefined))).toEqual([
        ['The import has finished.', '3 reports are new.', 'dlv_1'],
      ]);

      await mine.getByRole('button', { name: /^Remove Chrome/ }).click();
      await mine.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
      await offered.click();
      await mine.getByText('This browser is told.').waitFor(WAIT);
      await mine.getByRole('button', { name: 'Sign out' }).click();
      const subscription = () =>
        mine.evaluate(async () => {
          const { pushManager } = await navigator.serviceWorker.ready;
          return pushManager.getSubscription();
        });
      await waitFor(async () => (await subscription()) === null, { what: 'the browser to be told nothing more' });
      expect(problems).toEqual([]);
      await context.close();
    });

    it('schedules something, runs it now, and shows what it did', async () => {
      const page = await go('/automation');
      await page.getByLabel('Name').fill('Morning report');
      await page.getByLabel('What to tell you').fill('The morning report is due.');
      await page.getByRole('button', { name: 'Schedule', exact: true }).click();
      await page.getByRole('button', { name: 'Run now: Morning report' }).click();
      await page.getByRole('button', { name: 'History: Morning report' }).click();
      await page.getByText('by hand').waitFor(WAIT);
      await picture(page, 'automation');
      await page.getByRole('button', { name: 'Change Morning report' }).click();
      await page.getByLabel('Name').fill('Evening report');
      await page.getByRole('button', { name: 'At intervals' }).click();
      await page.getByLabel('Every', { exact: true }).fill('6');
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByText('every 6 hours').waitFor(WAIT);
      await page.getByRole('button', { name: 'Change Evening report' }).click();
      expect(await page.getByLabel('What to tell you').inputValue()).toBe('The morning report is due.');
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.getByRole('button', { name: 'Schedule', exact: true }).waitFor(WAIT);
      await page.getByRole('button', { name: 'Remove Evening report' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
      await page.getByText('Nothing is scheduled').waitFor(WAIT);
    });

    it('lets an agent look first when something happens, by a rule that can be switched off', async () => {
      const page = await go('/automation?view=rules');
      await page.getByLabel('Name').fill('Collections');
      await page.getByLabel('Event types').fill('*collection_done*');
      await page.getByLabel('What the agent is asked').fill('What is new? {{summary}}');
      await page.getByRole('button', { name: 'Add the rule' }).click();
      const rule = page.getByRole('checkbox', { name: 'On: Collections' });
      await rule.waitFor(WAIT);
      await page.getByRole('button', { name: 'Change Collections' }).click();
      // Switched off while the form is open.
      await rule.click();
      await page.getByRole('checkbox', { name: 'On: Collections', checked: false }).waitFor(WAIT);
      await page.getByLabel('Event types').fill('*collection_done*, *collection_failed*');
      await page.getByLabel('At most this many an hour').fill('5');
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByText('*collection_done*, *collection_failed*').waitFor(WAIT);
      await page.getByText(/at most 5 an hour/).waitFor(WAIT);
      // It stays switched off.
      await page.getByRole('checkbox', { name: 'On: Collections', checked: false }).waitFor(WAIT);
      await page.getByRole('button', { name: 'Remove Collections' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
      await page.getByText('No rule yet').waitFor(WAIT);
    });
  });
}

/** As the browser does when a message comes from its push service, which has opened and checked it. */
async function deliverPush(page: Page, origin: string, message: object): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const registrations = new Set<string>();
  session.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: all }) => {
    for (const { registrationId, isDeleted } of all) if (!isDeleted) registrations.add(registrationId);
  });
  await session.send('ServiceWorker.enable');
  const [registrationId = ''] = await waitFor(() => (registrations.size > 0 ? [...registrations] : undefined), { what: 'the service worker' });
  await session.send('ServiceWorker.deliverPushMessage', { origin, registrationId, data: JSON.stringify(message) });
  await session.detach();
}
