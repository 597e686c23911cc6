import type { Browser } from 'playwright-core';
import { TEST_MS, visit } from './support/browser.js';
import type { World } from './support/world.js';

/** What the page says it did. */
interface Told {
  readonly stream: string;
  readonly again: boolean;
  readonly agents: number;
  readonly refused: string;
  readonly arrived: boolean;
  readonly answer: string;
}

/** The packed SDK in a page of another origin, without a bundler: it publishes, calls, listens and chats. */
export function describeSdkInAPage(given: () => { readonly world: World; readonly browser: Browser }): void {
  it(
    'works in somebody else’s page from one file, under a strict policy, without a bundler',
    async () => {
      const { world, browser } = given();
      world.site.pack();
      const { page, context, problems } = await visit(browser, { address: world.site.origin });
      const told = await page.evaluate(
        async ({ baseUrl, token }): Promise<Told> => {
          const file = '/plexus-sdk/browser.js';
          const { GatewayClient, PlexusHttp } = (await import(file)) as typeof import('@plexus/sdk/browser');
          const http = new PlexusHttp({ baseUrl, token });
          const stop = new AbortController();
          const lastEventId = await http.inbox.position();
          const arrived = (async () => {
            for await (const { event, data } of http.inbox.stream({ lastEventId, signal: AbortSignal.any([stop.signal, AbortSignal.timeout(120_000)]) })) {
              if (event === 'inbox.item' && data.includes('said by a page')) return true;
            }
            return false;
          })();
          const event = { id: 'page-1', type: 'import_finished', source: '/page', severity: 'high' as const, data: { summary: 'said by a page' } };
          const stored = await http.events.publish(event);
          const again = await http.events.publish(event);
          const came = await arrived;
          stop.abort();
          const { agents } = await http.request<{ agents: unknown[] }>('GET', '/v1/agents');
          const refused = await new PlexusHttp({ baseUrl, token: 'wrong' }).vms.list().then(
            () => 'nothing was refused',
            (error: { code: string }) => error.code,
          );
          const gateway = new GatewayClient({ url: baseUrl.replace('http', 'ws'), token });
          await gateway.connect({ timeoutMs: 90_000 });
          let answer = '';
          for await (const piece of gateway.chatSend({ sessionKey: 'agent:main:page', message: 'What is new?' })) {
            if (piece.type === 'final') answer = piece.text;
          }
          gateway.close();
          return { stream: stored.stream, again: again.duplicate, agents: agents.length, refused, arrived: came, answer };
        },
        { baseUrl: world.address, token: world.mesh.token },
      );
      expect(told).toMatchObject({ stream: 'PLEXUS_IN', again: true, agents: 1, refused: 'UNAUTHENTICATED', arrived: true });
      expect(told.answer).toContain('sales, churn and capacity.');
      // The refused call is noted by the browser itself.
      expect(problems.filter((problem) => !problem.includes('status of 401'))).toEqual([]);
      await context.close();
    },
    TEST_MS,
  );
}
