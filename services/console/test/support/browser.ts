import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const root = path.resolve(import.meta.dirname, '../../../..');
/** For everything that a page is waited for: a guard against waiting for ever, no measure. */
export const WAIT = { timeout: 90_000 };
/** Of one test: several pages of a busy machine. */
export const TEST_MS = 600_000;
/** Where pictures and figures of the last run lie; `copy-pictures.mjs` takes the pictures into the docs. */
export const REPORT = path.join(root, 'report/console');

/** `CHROMIUM_BIN`, else the one that `tools/setup-chromium.mjs` found before `npm run test:full`; undefined: these suites are skipped. */
export function chromiumProgram(): string | undefined {
  if (process.env.CHROMIUM_BIN !== undefined) return process.env.CHROMIUM_BIN;
  const record = path.join(root, 'cache/chromium.json');
  if (!existsSync(record)) return undefined;
  const { program } = JSON.parse(readFileSync(record, 'utf8')) as { program: string };
  return existsSync(program) ? program : undefined;
}

export function launch(program: string): Promise<Browser> {
  // In containers there is neither a user for the sandbox nor much shared memory.
  return chromium.launch({ executablePath: program, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });
}

export interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What went wrong in the page: errors of scripts, of the policy, and requests that failed, as sentences. */
  readonly problems: string[];
}

export interface VisitOptions {
  readonly address: string;
  readonly token?: string;
  readonly language?: 'en' | 'zh';
  readonly width?: number;
}

/** A browser of its own in front of the console, signed in when there is a token. */
export async function visit(browser: Browser, { address, token, language = 'en', width = 1_200 }: VisitOptions): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width, height: 760 },
    locale: language === 'zh' ? 'zh-CN' : 'en-GB',
    timezoneId: 'UTC',
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(WAIT.timeout);
  await context.addInitScript(keepWhatPassesBy);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('console', (message) => {
    // That a service did not answer in time is noted by the browser itself. The page asks again; what is asserted is what it shows then.
    if (/status of 50[34]/.test(message.text())) return;
    if (message.type() === 'error' || message.type() === 'warning') problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? '';
    // What a page asked for and did not wait for when it was left.
    if (reason !== 'net::ERR_ABORTED') problems.push(`request: ${request.url()} ${reason}`);
  });
  await page.goto(token === undefined ? address : `${address}/#token=${encodeURIComponent(token)}`);
  return { context, page, problems };
}

interface Kept {
  readonly toasts: string[];
  cuts: number;
}

/** Runs in the page: notes what is on it for a moment only, which a look from outside may come too late for. */
function keepWhatPassesBy(): void {
  const kept: Kept = { toasts: [], cuts: 0 };
  Object.assign(window, { kept });
  new MutationObserver((records) => {
    for (const { target, addedNodes } of records) {
      const element = target instanceof Element ? target : target.parentElement;
      if (element?.closest('.toasts')) kept.toasts.push(...[...addedNodes].map(({ textContent }) => textContent ?? ''));
      if (element?.closest('.side-foot') && document.querySelector('.side-foot .badge.ok') === null) kept.cuts += 1;
    }
  }).observe(document, { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ['class'] });
}

/** Waits until the page, since it was loaded, has said something that goes away by itself. */
export async function told(page: Page, text: string): Promise<void> {
  await page.waitForFunction((wanted) => (window as unknown as { kept: Kept }).kept.toasts.some((said) => said.includes(wanted)), text, WAIT);
}

/** Waits until the page, since it was loaded, has lost its connection. Only for a page that was connected. */
export async function wasCut(page: Page, before: number): Promise<void> {
  await page.waitForFunction((count) => (window as unknown as { kept: Kept }).kept.cuts > count, before, WAIT);
}

/** How often the page was without a connection, for {@link wasCut}. */
export function cuts(page: Page): Promise<number> {
  return page.evaluate(() => (window as unknown as { kept: Kept }).kept.cuts);
}

/** Waits until a page is there, is connected, and nothing on it is loading any more. */
export async function settled(page: Page): Promise<void> {
  await page.getByRole('heading', { level: 1 }).waitFor();
  // On a narrow screen it is behind the menu.
  await page
    .locator('.side-foot .badge.ok')
    .waitFor({ state: 'attached' })
    .catch(async (error: Error) => {
      const said = await page.locator('.side-foot').textContent({ timeout: 1_000 });
      throw new Error(`${page.url()} is not connected but says "${said}"`, { cause: error });
    });
  await page.locator('.spinner').first().waitFor({ state: 'detached' });
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
  }[];
}

/** Violations of accessibility rules, as sentences. The script goes in over the debugging protocol: the page's own policy would refuse it. */
export async function axe(page: Page): Promise<string[]> {
  const there = await page.evaluate(() => 'axe' in window);
  if (!there) await page.evaluate(axeSource);
  const { violations } = await page.evaluate(async () => {
    const tool = (window as unknown as { axe: { run(where: unknown, options: unknown): Promise<AxeResult> } }).axe;
    return tool.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
  });
  return violations.map(({ id, help, nodes }) =>
    `${id}: ${help} — ${nodes.map(({ target, failureSummary }) => `${target.join(' ')} (${failureSummary ?? ''})`).join(' | ')}`.slice(0, 900),
  );
}

/** A picture for the docs, without what passes by. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(REPORT, { recursive: true });
  // By script: a style sheet of ours would be refused by the page's policy.
  const show = (visibility: string) =>
    page.evaluate((wanted) => document.querySelector<HTMLElement>('.toasts')?.style.setProperty('visibility', wanted), visibility);
  await show('hidden');
  await page.screenshot({ path: path.join(REPORT, `${name}.png`), animations: 'disabled' });
  await show('visible');
}

const figures: Record<string, number> = {};

/** A measured value for the report; nothing is asserted about it here. */
export function figure(name: string, value: number): void {
  figures[name] = Math.round(value);
  mkdirSync(REPORT, { recursive: true });
  writeFileSync(path.join(REPORT, 'figures.json'), `${JSON.stringify(figures, undefined, 2)}\n`);
}
