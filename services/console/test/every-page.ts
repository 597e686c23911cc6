import type { Browser, Page } from 'playwright-core';
import { ALL_PLACES } from '../src/app/navigation.js';
import { axe, figure, picture, settled, TEST_MS, visit, WAIT } from './support/browser.js';
import type { World } from './support/world.js';

interface Given {
  readonly world: World;
  readonly browser: Browser;
}
const MANY = 10_000;
/** Pages whose pictures the docs show in the other colours or the other language, too. */
const ALSO: Readonly<Record<string, readonly string[]>> = { mesh: ['dark-en', 'light-zh'], sessions: ['dark-zh'], inbox: ['dark-en'] };

/** What holds for every page: accessible in both colours and languages, usable with the keyboard, on small screens, and with many rows. */
export function describeEveryPage(given: () => Given): void {
  const open = (language: 'en' | 'zh' = 'en', width?: number) => {
    const { world, browser } = given();
    return visit(browser, { address: world.address, token: world.mesh.token, language, ...(width === undefined ? {} : { width }) });
  };

  describe('every page', () => {
    it.each(['en', 'zh'] as const)(
      'is accessible, light and dark, without an error in the console (%s)',
      async (language) => {
        const { page, context, problems } = await open(language);
        const found: string[] = [];
        for (const { path, name } of ALL_PLACES) {
          await page.goto(`${given().world.address}${name === 'memory' ? '/memory?q=database' : path}`);
          await settled(page);
          for (const colorScheme of ['light', 'dark'] as const) {
            await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
            found.push(...(await axe(page)).map((violation) => `${path} ${colorScheme}: ${violation}`));
            if (name === 'mesh' && colorScheme === 'light' && language === 'en') await picture(page, 'mesh');
            if (ALSO[name]?.includes(`${colorScheme}-${language}`)) await picture(page, `${name}-${colorScheme}-${language}`);
          }
        }
        expect(found).toEqual([]);
        expect(problems).toEqual([]);
        await context.close();
      },
      TEST_MS,
    );

    it(
      'fits a narrow screen without scrolling sideways',
      async () => {
        const { page, context } = await open('en', 390);
        const wide: string[] = [];
        for (const { path } of ALL_PLACES) {
          await page.goto(`${given().world.address}${path}`);
          await settled(page);
          // Lists measure themselves once more after they were drawn.
          await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
          const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          if (over > 0) wide.push(`${path}: ${over} px`);
        }
        expect(wide).toEqual([]);
        await context.close();
      },
      TEST_MS,
    );

    it('keeps what somebody chose: colours and language', async () => {
      const { page, context } = await open();
      await settled(page);
      await page.getByRole('button', { name: /Colours/ }).click();
      await page.getByRole('button', { name: /Colours: light/ }).click();
      expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
      await page.getByRole('button', { name: '中文' }).click();
      await page.getByRole('heading', { level: 1, name: '服务网格' }).waitFor();
      await page.reload();
      await page.getByRole('heading', { level: 1, name: '服务网格' }).waitFor();
      expect(await page.evaluate(() => [document.documentElement.dataset.theme, document.documentElement.lang])).toEqual(['dark', 'zh-CN']);
      await context.close();
    });
  });

  describe('the keyboard alone', () => {
    it(
      'skips the menu, goes anywhere, works a list and a dialog, and gets its focus back',
      async () => {
        const { page, context } = await open();
        await settled(page);
        await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
        await focusOn(page, 'main');
        await page.keyboard.press('ControlOrMeta+k');
        await focusOn(page, 'Go to a page');
        await page.keyboard.type('subscr');
        await page.keyboard.press('Enter');
        await page.getByRole('heading', { level: 1, name: 'Subscriptions' }).waitFor();
        await settled(page);
        const remove = page.getByRole('button', { name: /^Unfollow/ }).first();
        await remove.focus();
        await page.keyboard.press('Enter');
        await page.getByRole('dialog').waitFor();
        for (let turn = 0; turn < 6; turn += 1) {
          await page.keyboard.press('Tab');
          // Between its last and its first control the focus may pass the browser’s own, never the page behind.
          expect(await page.evaluate(() => document.activeElement === document.body || document.activeElement?.closest('dialog') !== null)).toBe(true);
        }
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        await focusOn(page, 'Unfollow');
        await page.keyboard.press('ControlOrMeta+k');
        await focusOn(page, 'Go to a page');
        await page.keyboard.type('inbox');
        await page.keyboard.press('Enter');
        const list = page.getByRole('listbox', { name: 'Items' });
        await list.getByRole('option').first().waitFor(WAIT);
        await list.focus();
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('Enter');
        await page.getByRole('button', { name: 'Acknowledge' }).waitFor(WAIT);
        await context.close();
      },
      TEST_MS,
    );
  });

  describe('ten thousand rows', () => {
    it(
      'are scrolled through with a page that stays small',
      async () => {
        const { page, context } = await open();
        const sessions = Array.from({ length: MANY }, (_, index) => ({
          sessionKey: `agent:main:s${index}`,
          sessionId: `id-${index}`,
          owner: 'me',
          agentId: 'main',
          kind: 'direct',
          createdAt: '2026-11-21T10:00:00Z',
          updatedAt: '2026-11-21T10:00:00Z',
          messageCount: 1,
        }));
        // The mesh of this suite has a handful; what is tried is the page.
        await page.route('**/v1/sessions?*', (route) => route.fulfill({ json: { sessions, totalCount: MANY, hasMore: false } }));
        await page.goto(`${given().world.address}/sessions`);
        const list = page.getByRole('listbox', { name: 'Your sessions' });
        await list.getByText('agent:main:s0').first().waitFor(WAIT);
        const begun = performance.now();
        await list.focus();
        await page.keyboard.press('End');
        await list
          .getByText(`agent:main:s${MANY - 1}`)
          .first()
          .waitFor(WAIT);
        figure('endOfTenThousandRowsMs', performance.now() - begun);
        expect(await list.getByRole('option').count()).toBeLessThan(100);
        expect(await list.getByRole('option').last().getAttribute('aria-posinset')).toBe(String(MANY));
        const jank = await list.evaluate(async (shown) => {
          let longest = 0;
          for (let step = 0; step < 40; step += 1) {
            const before = performance.now();
            shown.scrollTop = (shown.scrollHeight / 40) * step;
            await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
            longest = Math.max(longest, performance.now() - before);
          }
          return longest;
        });
        figure('longestFrameInTenThousandRowsMs', jank);
        await context.close();
      },
      TEST_MS,
    );
  });
}

/** Waits until the focus is on what has this in its id, name or text. */
async function focusOn(page: Page, wanted: string): Promise<void> {
  const found = (name: string): boolean => {
    const { activeElement: one } = document;
    return one !== document.body && `${one?.id ?? ''} ${one?.getAttribute('aria-label') ?? ''} ${one?.textContent ?? ''}`.includes(name);
  };
  await page.waitForFunction(found, wanted, WAIT);
}
