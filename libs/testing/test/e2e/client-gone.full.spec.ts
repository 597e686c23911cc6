import { type FakeOpenAi, startFakeOpenAi, startTestMesh, type TestMesh, waitFor } from '../../src/index.js';
import { MeshUser } from './mesh-user.js';

/** Longer than the test: a run ends before this only because somebody stops it. */
const ENDLESS = Array.from({ length: 3_000 }, (_, index) => `${index} `);

/** One browser tab: reads the event stream of a session until it is closed. */
class Tab {
  text = '';
  private readonly gone = new AbortController();

  constructor(mesh: TestMesh, sessionKey: string, lastEventId?: string) {
    const headers = { authorization: `Bearer ${mesh.token}`, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) };
    void this.read(`${mesh.gateway.http}/v1/sessions/${encodeURIComponent(sessionKey)}/stream`, headers);
  }

  /** Ids of the events that came, oldest first. */
  get ids(): string[] {
    return [...this.text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id as string);
  }

  /** The data of the events of one type. */
  of(type: string): Record<string, unknown>[] {
    return [...this.text.matchAll(new RegExp(`^event: ${type}\ndata: (.*)$`, 'gm'))].map(([, data]) => JSON.parse(data as string) as Record<string, unknown>);
  }

  close(): void {
    this.gone.abort();
  }

  private async read(url: string, headers: Record<string, string>): Promise<void> {
    try {
      const { body } = await fetch(url, { headers, signal: this.gone.signal });
      const decoder = new TextDecoder();
      for await (const chunk of body ?? []) this.text += decoder.decode(chunk as Uint8Array, { stream: true });
    } catch (error) {
      if (!this.gone.signal.aborted) this.text += `\nbroken: ${String(error)}\n`;
    }
  }
}

describe('a browser tab that is closed during a run, in a whole mesh', () => {
  let mesh: TestMesh;
  let model: FakeOpenAi;
  let user: MeshUser;
  const tabs: Tab[] = [];

  beforeAll(async () => {
    model = await startFakeOpenAi([{ kind: 'text', pieces: ENDLESS, pauseMs: 200 }]);
    mesh = await startTestMesh({ env: { PLEXUS_MODEL_BASE_URL: model.baseUrl, PLEXUS_MODEL: 'fake', GATEWAY_DISCONNECT_GRACE_MS: '1000' } });
    user = new MeshUser(mesh.gateway.http, mesh.token);
  }, 120_000);
  afterEach(() => {
    for (const tab of tabs.splice(0)) tab.close();
  });
  afterAll(async () => {
    await mesh?.stop();
    await model?.stop();
  }, 60_000);

  function open(sessionKey: string, lastEventId?: string): Tab {
    const tab = new Tab(mesh, sessionKey, lastEventId);
    tabs.push(tab);
    return tab;
  }

  async function talking(sessionKey: string, more: Record<string, unknown> = {}): Promise<Tab> {
    const tab = open(sessionKey);
    await waitFor(() => tab.text.includes(': open'), { timeoutMs: 60_000, what: 'the stream' });
    await user.request('POST', '/v1/chat/send', { sessionKey, message: 'Talk.', ...more });
    await waitFor(() => tab.of('text_chunk').length > 0, { timeoutMs: 120_000, what: 'the agent to talk' });
    return tab;
  }

  it('stops the agent: the run ends as execution_complete {cancelled: true}; one that shall continue is stopped by its user only', async () => {
    const kept = await talking('agent:main:kept', { on_client_disconnect: 'continue' });
    kept.close();
    const left = await talking('agent:main:left');
    left.close();

    const later = open('agent:main:left', left.ids.at(-1));
    // Whoever looks now keeps nothing alive that was cancelled before; the tab may as well be back in time, then it leaves again.
    await waitFor(() => later.text.includes(': open'), { timeoutMs: 60_000, what: 'the second stream' });
    later.close();
    const last = await waitFor(
      async () => {
        const history = await user.request<{ session?: { activeRunId?: string } }>('GET', `/v1/sessions/${encodeURIComponent('agent:main:left')}`);
        return history.session !== undefined && history.session.activeRunId === undefined ? open('agent:main:left', left.ids.at(-1)) : undefined;
      },
      { timeoutMs: 60_000, what: 'the end of the run' },
    );
    await waitFor(() => last.of('execution_complete').length === 1, { timeoutMs: 60_000, what: 'the end in the stream' });
    expect(last.of('execution_complete')[0]).toMatchObject({ cancelled: true });
    expect(last.of('execution_error')).toEqual([]);

    const again = open('agent:main:kept', kept.ids.at(-1));
    await waitFor(() => again.of('text_chunk').length > 0, { timeoutMs: 60_000, what: 'the agent that was to continue' });
    expect(again.of('execution_complete')).toEqual([]);
    await user.request('POST', `/v1/sessions/${encodeURIComponent('agent:main:kept')}/abort`, {});
    await waitFor(() => again.of('execution_complete').length === 1, { timeoutMs: 60_000, what: 'the end after the abort' });
    expect(again.of('execution_complete')[0]).toMatchObject({ cancelled: true });
  }, 300_000);
});
