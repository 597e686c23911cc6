import { readFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';
import type { Locator, Page } from 'playwright-core';
import { axe, picture, settled, TEST_MS, WAIT } from './support/browser.js';
import type { World } from './support/world.js';

/** What whoever writes it would like to be a page of the console's. */
const NOTES = '<script>document.title = "taken"</script>\nThe fountain opens at nine.\n';
const SIZE = { width: 240, height: 150 };

/** A small picture with something to see in it. */
function png({ width, height }: typeof SIZE): Buffer {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) rows.set([60 + x / 2, 90 + y / 2, 220 - y], y * (width * 3 + 1) + 1 + x * 3);
  }
  const part = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([signature, part('IHDR', head), part('IDAT', deflateSync(rows)), part('IEND', Buffer.alloc(0))]);
}

/** As somebody does with the mouse, or with the clipboard: the browser's own event, with a file in it. */
function hand(place: Locator, how: 'drop' | 'paste', file: { name: string; type: string; content: Buffer }): Promise<void> {
  return place.evaluate(
    (element, { kind, name, type, content }) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(content)], name, { type }));
      const given = { bubbles: true, cancelable: true };
      element.dispatchEvent(
        kind === 'drop' ? new DragEvent('drop', { ...given, dataTransfer: data }) : new ClipboardEvent('paste', { ...given, clipboardData: data }),
      );
    },
    { kind: how, name: file.name, type: file.type, content: [...file.content] },
  );
}

/** Files that go along with a message, and come back. */
export function describeAttachments(given: () => { readonly world: World; readonly page: Page }): void {
  describe('attachments', () => {
    it(
      'are chosen, pasted and dropped, sent, seen in the history, and refused when their kind is not taken',
      async () => {
        const { world, page } = given();
        const image = png(SIZE);
        await page.goto(`${world.address}/sessions/agent%3Amain%3Afiles`);
        await settled(page);
        // Addresses of blobs that were made and not given back.
        await page.evaluate(() => {
          const open = new Set<string>();
          Object.assign(window, { openBlobs: open });
          const [make, end] = [URL.createObjectURL.bind(URL), URL.revokeObjectURL.bind(URL)];
          URL.createObjectURL = (blob) => {
            const url = make(blob);
            open.add(url);
            return url;
          };
          URL.revokeObjectURL = (url) => {
            open.delete(url);
            end(url);
          };
        });
        const box = page.getByLabel('Message to the agent');
        const waiting = page.getByRole('list', { name: 'Attachments' });

        await page.locator('button.attach:enabled').waitFor(WAIT);
        const chosen = page.waitForEvent('filechooser');
        // The browser is asked to hand choosers over; what it answers next, it answers after that.
        const pressed = page.evaluate(() => undefined).then(() => page.getByRole('button', { name: 'Attach files' }).press('Enter'));
        const [chooser] = await Promise.all([chosen, pressed]);
        await chooser.setFiles([
          { name: 'notes.html', mimeType: 'text/html', buffer: Buffer.from(NOTES) },
          { name: 'wrong.txt', mimeType: 'text/plain', buffer: Buffer.from('not this one') },
        ]);
        await waiting.getByText('wrong.txt').waitFor();
        await hand(box, 'paste', { name: 'plan.png', type: 'image/png', content: image });
        await waiting.getByText('plan.png').waitFor();
        await hand(page.getByRole('region', { name: 'Messages' }), 'drop', {
          name: 'archive.zip',
          type: 'application/zip',
          content: Buffer.from('PK\x03\x04\x00\x00', 'latin1'),
        });
        await page.getByRole('alert').getByText('archive.zip cannot be attached: only text and PNG, JPEG, GIF or WebP pictures are taken.').waitFor();
        expect(await waiting.getByRole('listitem').count()).toBe(3);
        await page.getByRole('button', { name: 'Remove wrong.txt' }).press('Enter');
        await waiting.getByText('wrong.txt').waitFor({ state: 'detached' });
        expect(await waiting.getByRole('listitem').allTextContents()).toEqual([expect.stringContaining('notes.html'), expect.stringContaining('plan.png')]);
        // The focus goes on to the file that came after the one that went.
        await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Remove plan.png', undefined, WAIT);
        await bothColours(page);
        await narrow(page);

        await box.fill('What is on the plan?');
        await page.getByRole('button', { name: 'Send' }).click();
        const log = page.getByRole('region', { name: 'Messages' });
        const shown = log.getByRole('img', { name: 'plan.png' });
        await log.getByText('sales, churn and capacity.').waitFor(WAIT);
        await shown.waitFor(WAIT);
        await page.waitForFunction(
          (width) => [...document.querySelectorAll<HTMLImageElement>('.frame img')].some((one) => one.complete && one.naturalWidth === width),
          SIZE.width,
          WAIT,
        );
        expect(await page.getByRole('alert').count()).toBe(0);
        expect(JSON.stringify(world.model.requests.map(({ messages }) => messages))).toContain(`data:image/png;base64,${image.toString('base64')}`);

        const [download] = await Promise.all([page.waitForEvent('download'), log.getByRole('button', { name: 'Download notes.html' }).click()]);
        expect([download.suggestedFilename(), readFileSync(await download.path(), 'utf8')]).toEqual(['notes.html', NOTES]);
        expect(await page.title()).not.toBe('taken');
        await bothColours(page);
        await picture(page, 'attachments');
        await narrow(page);

        // What the page lets through the gateway still refuses: the message says so and stays, with its file.
        await page.evaluate(() => {
          TextDecoder.prototype.decode = () => '';
        });
        await hand(box, 'paste', { name: 'odd.bin', type: '', content: Buffer.from([0xff, 0xfe]) });
        await waiting.getByText('odd.bin').waitFor();
        await page.getByRole('button', { name: 'Send' }).click();
        await page.getByRole('alert').getByText('A file of this kind is not taken').waitFor(WAIT);
        await log.getByText('odd.bin').waitFor();

        await page.getByRole('link', { name: 'Memory' }).click();
        await page.getByRole('heading', { level: 1, name: 'Memory' }).waitFor();
        await page.waitForFunction(() => (window as unknown as { openBlobs: Set<string> }).openBlobs.size === 0, undefined, WAIT);
      },
      TEST_MS,
    );
  });
}

async function bothColours(page: Page): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    expect(await axe(page)).toEqual([]);
  }
}

/** As on a telephone: nothing goes over the side. */
async function narrow(page: Page): Promise<void> {
  const wide = page.viewportSize();
  await page.setViewportSize({ width: 390, height: 760 });
  // Lists measure themselves again after the next frame.
  await page.waitForFunction(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth, undefined, WAIT);
  if (wide !== null) await page.setViewportSize(wide);
}
