import { PlexusError } from '@plexus/kernel';
import type { MeshCalls } from '../../application/mesh-calls.js';
import type { ToolContext, ToolResult } from '../../application/ports.js';
import { notifyTools } from './notify-tools.js';

const context: ToolContext = { sessionId: 's', runId: 'r', workspace: '/', signal: new AbortController().signal, onProcess: () => undefined };

function use(name: string, input: unknown, answer: unknown): { result: Promise<ToolResult>; asked: unknown[] } {
  const asked: unknown[] = [];
  const calls: MeshCalls = {
    async request(sessionId, method, params) {
      asked.push([sessionId, method, params]);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    tell: async () => undefined,
  };
  const tool = notifyTools(calls).find((one) => one.name === name);
  if (!tool) throw new Error(`no tool ${name}`);
  return { result: tool.run(input, context), asked };
}

describe('tools that notify and dispatch', () => {
  it('name the run that asks, so that what it causes is counted against it', async () => {
    const { result, asked } = use('notify_user', { summary: 'Done', severity: 'high' }, { event_id: 'e' });
    expect(await result).toEqual({ content: 'The notification is on its way.' });
    expect(asked).toEqual([['s', 'notify_user', { summary: 'Done', severity: 'high', run_id: 'r' }]]);
    expect(await use('dispatch_research', { query: 'Who owns Aurora?' }, { run_id: 'dsp_1' }).result).toEqual({ content: 'Begun as dsp_1.' });
    expect(await use('dispatch_and_notify', { query: 'x', summary: 'y' }, { run_id: 'dsp_2' }).result).toEqual({ content: 'Begun as dsp_2.' });
  });

  it('tell what was found, that it is not finished, or why it failed', async () => {
    const status = (answer: object) => use('dispatch_status', { run_id: 'dsp_1' }, answer).result;
    expect(await status({ state: 'researching' })).toEqual({ content: 'It is not finished yet.' });
    expect(await status({ state: 'done', result: 'A company in Malta.' })).toEqual({ content: 'A company in Malta.' });
    expect(await status({ state: 'failed', error: { code: 'RUN_TIMEOUT', message: 'Too slow.' } })).toEqual({
      content: 'It failed: Too slow. (RUN_TIMEOUT)',
      isError: true,
    });
    expect(await status({ state: 'odd' })).toMatchObject({ isError: true });
  });

  it('say in words what is wrong with a call', async () => {
    expect(await use('notify_user', { summary: '' }, {}).result).toMatchObject({ isError: true, content: expect.stringContaining('summary') });
    const quota = new PlexusError({ code: 'QUOTA_EXCEEDED', message: 'Too many.', retryable: true });
    expect(await use('dispatch_research', { query: 'x' }, quota).result).toEqual({ content: 'This was refused: Too many. (QUOTA_EXCEEDED)', isError: true });
  });
});
