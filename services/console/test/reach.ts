import type { Page } from 'playwright-core';
import { picture, settled } from './support/browser.js';
import type { World } from './support/world.js';

const WAIT = { timeout: 60_000 };

/** How people are reached, and what happens by itself. */
export function describeReach(given: () => { readonly world: World; readonly page: Page }): void {
  const go = async (place: string): Promise<Page> => {
    const { world, page } = given();
    await page.goto(`${world.address}${place}`);
    await settled(page);
    return page;
  };

  describe('being reached', () => {
    it('keeps quiet hours, and silences something for a while', async () => {
      const page = await go('/reach');
      await page.getByLabel('From', { exact: true }).fill('21:30');
      await page.getByLabel('Time zone').fill('Europe/Berlin');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('21:30 – 07:00 Europe/Berlin').waitFor(WAIT);
      await page.getByLabel('Which', { exact: true }).fill('case-9');
      await page.getByLabel('Why', { exact: true }).fill('Planned work on the pipeline');
      await page.getByRole('button', { name: 'Silence', exact: true }).click();
      await page.getByRole('rowheader', { name: 'case = case-9' }).waitFor(WAIT);
      await page.evaluate(() => window.scrollTo(0, 0));
      await picture(page, 'reach');
      await page.getByRole('button', { name: 'End the silence of case = case-9' }).click();
      await page.getByText('over', { exact: true }).waitFor(WAIT);
      await page.getByRole('button', { name: 'Switch off' }).click();
      await page.getByText('off', { exact: true }).waitFor(WAIT);
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
      await page.getByRole('button', { name: 'Remove Morning report' }).click();
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
      await rule.click();
      await page.getByRole('checkbox', { name: 'On: Collections', checked: false }).waitFor(WAIT);
      await page.getByRole('button', { name: 'Remove Collections' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
      await page.getByText('No rule yet').waitFor(WAIT);
    });
  });
}
