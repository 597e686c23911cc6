import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { jest } from '@jest/globals';
import { waitFor } from '@plexus/testing';
import type { Browser, Page } from 'playwright-core';
import { describeAttachments } from './attachments.js';
import { describeEveryPage } from './every-page.js';
import { describeSdkInAPage } from './sdk-in-a-page.js';
import { describeReach } from './reach.js';
import { axe, chromiumProgram, cuts, figure, launch, picture, settled, TEST_MS, told, type Visit, visit, WAIT, wasCut } from './support/browser.js';
import { fill, startWorld, type World } from './support/world.js';

jest.setTimeout(TEST_MS);

const program = chromiumProgram();
const describeBrowser = program === undefined ? describe.skip : describe;

describeBrowser(
  program === undefined ? 'the console in a real browser (skipped: no Chromium, see tools/setup-chromium.mjs)' : 'the console in a real browser',
  () => {
    let world: World;
    let browser: Browser;
    let one: Visit;
    let page: Page;

    const go = async (place: string) => {
      await page.goto(`${world.address}${place}`);
      await settled(page);
    };
    const editor = (name: string) => page.getByRole('textbox', { name });
    const write = async (name: string, text: string) => {
      await editor(name).click();
      await page.keyboard.press('ControlOrMeta+A');
      // As people do with longer texts; typed text is completed by the editor.
      await editor(name).evaluate((place, pasted) => {
        const clipboardData = new DataTransfer();
        clipboardData.setData('text/plain', pasted);
        place.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
      }, text);
    };

    beforeAll(async () => {
      const built = spawnSync(process.execPath, [path.join(import.meta.dirname, '../build.mjs')], { encoding: 'utf8' });
      if (built.status !== 0) throw new Error(`the page cannot be built: ${built.stderr}`);
      [world, browser] = await Promise.all([startWorld(), launch(program ?? '')]);
      await fill(world);
      one = await visit(browser, { address: world.address, token: world.mesh.token });
      page = one.page;
      await settled(page);
    }, 180_000);
    afterAll(async () => {
      await browser?.close();
      await world?.stop();
    }, TEST_MS);
    afterEach(() => {
      expect(one.problems.splice(0)).toEqual([]);
    });

    describe('signing in', () => {
      it('takes the token out of the address, keeps it for the tab, and comes back after a reload', async () => {
        expect(page.url()).toBe(`${world.address}/`);
        expect(await page.evaluate(() => [sessionStorage.length, localStorage.getItem('plexus.token'), document.cookie])).toEqual([1, null, '']);
        await page.reload();
        await page.getByText('Connected').waitFor(WAIT);
      });

      it('keeps a token before anything is drawn, so that somebody who goes on at once is signed in', async () => {
        const { page: mine, context } = await visit(browser, { address: world.address });
        await mine.addInitScript(() => {
          document.addEventListener('DOMContentLoaded', () => {
            const isKept = sessionStorage.getItem('plexus.token') !== null && window.location.hash === '';
            Object.assign(window, { isKept });
          });
        });
        await mine.goto('about:blank');
        await mine.goto(`${world.address}/#token=${world.mesh.token}`);
        expect(await mine.evaluate(() => (window as unknown as { isKept: boolean }).isKept)).toBe(true);
        await settled(mine);
        await context.close();
      });

      it('says plainly when a token is not good, and when it is no longer', async () => {
        const stranger = await visit(browser, { address: world.address });
        await stranger.page.getByLabel('Token', { exact: true }).fill('not-the-token');
        await stranger.page.getByRole('button', { name: 'Sign in' }).click();
        await stranger.page.getByRole('alert').getByText('The token is not good').waitFor();
        await picture(stranger.page, 'sign-in');
        expect(await axe(stranger.page)).toEqual([]);
        await stranger.page.getByLabel('Token', { exact: true }).fill(world.mesh.token);
        await stranger.page.getByRole('button', { name: 'Sign in' }).click();
        await settled(stranger.page);
        // What a token that was revoked looks like from here.
        await stranger.page.route('**/v1/subscriptions', (route) =>
          route.fulfill({
            status: 401,
            contentType: 'application/problem+json',
            body: JSON.stringify({ status: 401, code: 'UNAUTHENTICATED', detail: 'the bearer token has expired' }),
          }),
        );
        await stranger.page.getByRole('link', { name: 'Subscriptions' }).click();
        await stranger.page.getByText('The token has expired or was revoked').waitFor();
        expect(await stranger.page.evaluate(() => sessionStorage.length)).toBe(0);
        await stranger.context.close();
      });

      it('is usable soon after it was opened (measured for the report)', async () => {
        const fresh = await visit(browser, { address: world.address });
        const times: number[] = [];
        for (let round = 0; round < 3; round += 1) {
          await fresh.page.evaluate(() => sessionStorage.clear());
          const begun = performance.now();
          await fresh.page.goto('about:blank');
          await fresh.page.goto(`${world.address}/#token=${world.mesh.token}`);
          await fresh.page.getByRole('link', { name: 'Open a chat' }).waitFor();
          times.push(performance.now() - begun);
        }
        figure('firstPageUsableMs', Math.min(...times));
        await fresh.context.close();
      });
    });

    // Before a policy decides that nothing interrupts.
    describeSdkInAPage(() => ({ world, browser }));

    describe('conversations', () => {
      it('streams an answer, and keeps it', async () => {
        await go('/sessions');
        await page.getByLabel('Message to the agent').fill('What changed since yesterday?');
        await page.keyboard.press('Enter');
        const log = page.getByRole('region', { name: 'Messages' });
        await log.getByText('What changed since yesterday?').waitFor();
        await log.getByText('sales, churn and capacity.').waitFor(WAIT);
        await page.getByRole('button', { name: 'Stop' }).waitFor({ state: 'detached', ...WAIT });
        await page.reload();
        await log.getByText('sales, churn and capacity.').waitFor(WAIT);
        expect(await log.getByRole('article').count()).toBe(2);
        await picture(page, 'sessions');
      });

      it('stops an answer on demand, and what was said stays', async () => {
        await go('/sessions/agent%3Amain%3Acounting');
        await page.getByLabel('Message to the agent').fill('Please count to two thousand.');
        await page.getByRole('button', { name: 'Send' }).click();
        const log = page.getByRole('region', { name: 'Messages' });
        await log.getByText('5 6 7').waitFor(WAIT);
        // Coming back in the middle shows the answer whole.
        await page.reload();
        await log.getByText('1 2 3 4 5 6 7').waitFor(WAIT);
        await page.getByRole('button', { name: 'Stop' }).click();
        await page.getByRole('button', { name: 'Stop' }).waitFor({ state: 'detached', ...WAIT });
        expect(await log.getByText('2000').count()).toBe(0);
      });

      it('takes /stop for an order, as other chats do, and says when there is nothing to stop', async () => {
        await go('/sessions/agent%3Amain%3Atyped');
        const box = page.getByLabel('Message to the agent');
        const stop = page.getByRole('button', { name: 'Stop' });
        await box.fill('Please count to two thousand.');
        await page.keyboard.press('Enter');
        const log = page.getByRole('region', { name: 'Messages' });
        await log.getByText('5 6 7').waitFor(WAIT);
        await box.fill('/stop');
        await page.keyboard.press('Enter');
        await stop.waitFor({ state: 'detached', ...WAIT });
        await box.fill('/stop');
        await page.keyboard.press('Enter');
        await told(page, 'Nothing is running in this session.');
        expect(await log.getByText('/stop').count()).toBe(0);
      });

      it('reconnects by itself when the socket was cut, and shows what came meanwhile', async () => {
        await go('/sessions/agent%3Amain%3Areports');
        await page.getByText('Connected').waitFor(WAIT);
        const before = await cuts(page);
        await world.mesh.kill('gateway');
        await wasCut(page, before);
        await world.mesh.whole(WAIT.timeout);
        await page.getByText('Connected').waitFor(WAIT);
        await page.getByRole('region', { name: 'Messages' }).getByText('Which reports are new?').waitFor(WAIT);
        // A refused connection is an error to the browser, which is right to say so. What this page still asks ends with it.
        await go('/sessions');
        one.problems.splice(0);
      });

      it('shows what agents do, as it happens', async () => {
        await go('/events');
        await world.call('POST', '/v1/chat/send', { sessionKey: 'agent:main:reports', message: 'And now?', on_client_disconnect: 'continue' });
        await page.getByRole('option').filter({ hasText: 'chat final' }).first().waitFor(WAIT);
        // What still comes would move the rows away from under the mouse.
        await page.getByRole('button', { name: 'Pause' }).click();
        await page.getByRole('searchbox', { name: 'Filter' }).fill('The nightly');
        await page.getByRole('option').filter({ hasText: 'chat delta' }).first().click();
        await page.getByText('Payload of chat delta').waitFor();
        await picture(page, 'events');
      });
    });

    describeAttachments(() => ({ world, page }));

    describe('push', () => {
      it('shows an event of another process at once, and why it was sent, as a picture', async () => {
        await go('/inbox');
        world.publish({ id: 'import-21', type: 'import_finished', severity: 'high', data: { summary: 'The evening import has finished.' } });
        await page.getByRole('option', { name: /The evening import has finished/ }).click();
        await page.getByRole('heading', { name: 'The evening import has finished.' }).waitFor();
        await picture(page, 'inbox');
        await page.getByRole('link', { name: 'Why was this sent?' }).click();
        const stages = page.getByRole('list', { name: 'Stages of the decision' });
        await stages.getByRole('button', { name: 'Send: sent' }).waitFor(WAIT);
        expect(await stages.getByRole('button').count()).toBe(14);
        await stages.getByRole('button', { name: 'Priority: passed' }).click();
        await page.getByText('How much does it matter?').waitFor();
        await picture(page, 'explain');
        await page.goBack();
        await page.getByRole('option', { name: /The evening import has finished/ }).click();
        await page.getByRole('button', { name: 'Acknowledge' }).click();
        await told(page, 'Acknowledged: its follow-ups end.');
      });

      it('explains what was not sent, and what would have to change', async () => {
        world.publish({ id: 'lonely-1', type: 'nobody_follows_this', data: { summary: 'x' } });
        await go('/explain?event=lonely-1&source=%2Fpipelines');
        await page.getByText('Not followed', { exact: true }).waitFor(WAIT);
      });

      it('follows and unfollows', async () => {
        await go('/subscriptions');
        await page.getByLabel('What', { exact: true }).selectOption('topic');
        await page.getByLabel('Which one').fill('reports');
        await page.getByRole('button', { name: 'Follow', exact: true }).click();
        await page.getByRole('rowheader', { name: /Topic reports/ }).waitFor(WAIT);
        await picture(page, 'subscriptions');
        await page.getByRole('button', { name: 'Unfollow Topic reports' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Unfollow', exact: true }).click();
        await page.getByRole('rowheader', { name: /Topic reports/ }).waitFor({ state: 'detached', ...WAIT });
      });

      it('makes the form of an event from its contract, refuses what does not fit, and publishes what does', async () => {
        await go('/publish');
        await page.getByLabel(/^source/).fill('');
        await page.getByRole('button', { name: 'Publish', exact: true }).click();
        await page.getByRole('alert').first().waitFor();
        await page.getByLabel(/^source/).fill('/console');
        await page.getByLabel(/^type/).fill('import_finished');
        await page.getByLabel('summary').fill('Published from the form.');
        await page.getByRole('button', { name: 'Publish', exact: true }).click();
        await page.getByText('Stored', { exact: true }).waitFor(WAIT);
        await page.evaluate(() => window.scrollTo(0, 0));
        await picture(page, 'publish');
        await page.getByRole('link', { name: 'To the inbox' }).click();
        await page.getByRole('option', { name: /Published from the form/ }).waitFor(WAIT);
        await go('/publish');
        await page.getByLabel('Contract').selectOption('in access.access-granted.v1');
        await page.getByLabel(/^scopeKind/).waitFor();
      });

      it('tests a policy, shows what differs and what it would have done, and activates it', async () => {
        await go('/policies');
        await editor('Policy in YAML').waitFor(WAIT);
        await write('Policy in YAML', 'name: calmer\nthrottle:\n  - { n: 0, perSeconds: 3600 }\n');
        await page.getByRole('button', { name: 'Run its tests' }).click();
        await page.getByRole('alert').waitFor(WAIT);
        // The browser notes every answer above 399, also one that was asked for.
        expect(one.problems.splice(0)).toEqual([expect.stringContaining('status of 400')]);
        const tests =
          'tests:\n  - name: one an hour\n    steps:\n      - { at: 0, event: { id: a, type: x } }\n      - { at: 1, event: { id: b, type: y } }\n    expect:\n      interrupts: 1\n';
        await write('Policy in YAML', `name: calmer\nthrottle:\n  - { n: 1, perSeconds: 3600 }\n${tests}`);
        await page.getByRole('button', { name: 'Run its tests' }).click();
        await page.getByText('tests fail').or(page.getByText('tests pass')).first().waitFor(WAIT);
        await page.getByRole('button', { name: 'Compare' }).click();
        await page.getByRole('region', { name: 'Compare' }).getByText('perSeconds').waitFor();
        await page.getByRole('button', { name: 'Edit' }).click();
        await write('Policy in YAML', 'name: calmer\nthrottle:\n  - { n: 1, perSeconds: 3600 }\n');
        await page.getByRole('button', { name: 'Save as a new draft' }).click();
        await told(page, 'Version 1 is stored.');
        await editor('Policy in YAML').getByText('calmer').waitFor(WAIT);
        await picture(page, 'policies');
        await page.getByRole('button', { name: 'Replay', exact: true }).first().click();
        await page.locator('form').getByRole('button', { name: 'Replay', exact: true }).click();
        await page.getByText('Interruptions', { exact: true }).first().waitFor(WAIT);
        await picture(page, 'policy-replay');
        await page.getByRole('button', { name: 'Edit' }).click();
        await page.getByRole('button', { name: 'Activate' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Activate' }).click();
        await told(page, 'Version 1 decides now.');
      });
    });

    describe('knowledge and operations', () => {
      it('finds a memory and shows where its score comes from', async () => {
        await go('/memory');
        await page.getByLabel('Search memory').fill('database');
        await page.keyboard.press('Enter');
        await page.getByText('The database migration runs on Sundays').waitFor(WAIT);
        expect(await page.locator('mark').first().textContent()).toMatch(/database/i);
        expect(await page.locator('.score').first().textContent()).toMatch(/Words.*Score/s);
        await picture(page, 'memory');
      });

      it('says why a VM is alive and what states it went through', async () => {
        await go('/vms');
        await page.getByText('Why is it like that?').waitFor(WAIT);
        expect(await page.locator('.because li').count()).toBeGreaterThan(0);
        await page.getByRole('img', { name: 'History' }).waitFor(WAIT);
        await picture(page, 'vms');
        await page.getByRole('button', { name: 'Show' }).click();
        await page.getByRole('checkbox', { name: 'Follow' }).waitFor(WAIT);
        await page.getByRole('region', { name: 'Log' }).getByText(/\S/).first().waitFor(WAIT);
      });

      it('shows every tier that a message would be looked up in', async () => {
        await go('/routing');
        await page.getByRole('button', { name: 'Try it' }).click();
        await page.getByText('It goes to agent main.').waitFor(WAIT);
        expect(await page.locator('.step').count()).toBeGreaterThan(5);
        expect(await page.locator('.step.hit').count()).toBe(1);
        await picture(page, 'routing');
      });

      it('sends a dead letter again, and drops one, after asking', async () => {
        await go('/dead-letters');
        await page
          .getByRole('cell', { name: /INVALID_EVENT/ })
          .first()
          .waitFor(WAIT);
        await picture(page, 'dead-letters');
        const again = async (button: RegExp, said: string) => {
          await page
            .getByRole('checkbox', { name: /^Choose \d/ })
            .first()
            .check();
          await page.getByRole('button', { name: button }).first().click();
          await page.getByRole('dialog').getByRole('button', { name: button }).click();
          await page.getByText(said).waitFor(WAIT);
        };
        await again(/^Send again/, '1 message was sent again');
        // Its cause is still there: it comes back.
        await waitFor(async () => ((await world.call<{ letters: unknown[] }>('GET', '/v1/dlq')).letters.length > 0 ? true : undefined), {
          what: 'the message parked once more',
        });
        await go('/dead-letters');
        await page
          .getByRole('cell', { name: /INVALID_EVENT/ })
          .first()
          .waitFor(WAIT);
        await again(/^Drop/, '1 message was dropped');
      });

      it('says what is wrong with a configuration before it is stored, and what changes', async () => {
        await go('/config');
        await editor('Document (JSON5)').waitFor(WAIT);
        await write('Document (JSON5)', '{ agents: { list: [{ id: "main", default: true, color: 7 }] } }');
        await page.getByText('1 thing is wrong').waitFor(WAIT);
        expect(await page.getByRole('button', { name: 'Store' }).isDisabled()).toBe(true);
        await write('Document (JSON5)', '{ agents: { list: [{ id: "main", default: true, name: "Helper" }] } }');
        await page.getByText('The document is valid').waitFor(WAIT);
        await page.getByText('Changes:').waitFor(WAIT);
        await picture(page, 'config');
        await page.getByRole('button', { name: 'Compare' }).click();
        await page.getByRole('region', { name: 'Compare' }).getByText('Helper').waitFor();
        await page.getByRole('button', { name: 'Edit' }).click();
        await page.getByRole('button', { name: 'Store' }).click();
        await page.getByText(/Stored as revision/).waitFor(WAIT);
        await page.getByRole('button', { name: 'History' }).click();
        await page
          .getByRole('button', { name: /Restore revision/ })
          .first()
          .waitFor(WAIT);
      });
    });

    describeReach(() => ({ world, browser, page }));
    describeEveryPage(() => ({ world, browser }));
  },
);
