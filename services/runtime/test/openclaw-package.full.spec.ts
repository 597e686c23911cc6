import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { openclawProgram } from '@plexus/testing';
import { startBridgeProcess } from '../src/adapters/openclaw/bridge-process.js';
import { defaultBridgeCommand } from '../src/adapters/openclaw/default-bridge.js';
import { OpenClawAdapter } from '../src/adapters/openclaw/openclaw-adapter.js';
import { RunCancelled } from '../src/application/execute-run.js';
import { dataOf, type Running, runOf, turnOf } from './support/bridge-bench.js';
import { type Answer, begin, FakeModel, says } from './support/fake-model.js';
import { scratchFolder, until } from './support/runtime-process.js';

const KEY = 'the-model-key-55512';
const program = openclawProgram();
/** A gateway of OpenClaw takes most of a minute to start on a busy machine. */
const PATIENCE_MS = 300_000;

const chunk = (delta: unknown, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

const callsTool: Answer = (response) => {
  begin(response);
  const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'exec', arguments: '{"command":"echo tool-$((40+2))"}' } };
  response.end(`${chunk({ role: 'assistant', tool_calls: [call] })}${chunk({}, 'tool_calls')}data: [DONE]\n\n`);
};

const speaksForEver: Answer = (response) => {
  begin(response);
  const timer = setInterval(() => response.write(chunk({ content: 'more ' })), 50);
  response.on('close', () => clearInterval(timer));
};

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((one) => (one.isFile() ? [path.join(one.parentPath, one.name)] : []));
}

if (program === undefined) {
  describe.skip('the bridge drives the openclaw package: it is not installed', () => {
    it('is tested where the package is installed', () => undefined);
  });
} else {
  describe('the bridge drives the openclaw package', () => {
    const folder = scratchFolder();
    let model: FakeModel;
    let adapter: OpenClawAdapter;
    const told: unknown[][] = [];
    const asks = (session: string, runId: string, message: string, history: { role: 'user' | 'assistant'; text: string }[] = []): Running =>
      runOf(adapter.start(dataOf(session)), turnOf(runId, session, { message, history, systemPrompt: 'Be brief, please.' }));
    const textOf = (run: Running): string => run.pieces.map((piece) => (piece.type === 'text' ? piece.text : '')).join('');
    const lastRequest = (): string => JSON.stringify(model.requests.at(-1)?.body.messages);

    beforeAll(async () => {
      model = await FakeModel.start(says(['Hello ', 'Bob']), callsTool, says(['It said ', '42']), speaksForEver, says(['second']));
      adapter = new OpenClawAdapter({
        start: (handlers) =>
          startBridgeProcess(
            { command: defaultBridgeCommand(), cwd: folder.path, env: { PATH: process.env.PATH ?? '', HOME: folder.path, OPENCLAW_BIN: program } },
            handlers,
          ),
        calls: { request: async () => null, tell: async (...one) => void told.push(one) },
        log: () => undefined,
        workspaceOf: (id) => path.join(folder.path, id),
        modelOf: () => ({ provider: 'p', model: 'the-real-model', base_url: model.baseUrl, api_key: KEY }),
      });
    });
    afterAll(async () => {
      await adapter.close();
      await model.stop();
      folder.remove();
    });

    it(
      'streams an answer of the session’s model, runs a tool, is cancelled, serves another session, and keeps the key to itself',
      async () => {
        const first = asks('s1', 'r1', 'hi there', [{ role: 'user', text: 'my name is Bob' }]);
        await first.done;
        expect([first.end, textOf(first)]).toEqual(['complete', 'Hello Bob']);
        expect(first.pieces.at(-1)).toEqual({ type: 'usage', usage: { input_tokens: 11, output_tokens: 7 } });
        expect([model.requests[0]?.authorization, model.requests[0]?.body.model]).toEqual([`Bearer ${KEY}`, 'the-real-model']);
        expect(lastRequest()).toMatch(/Be brief, please\..*my name is Bob.*hi there/s);
        expect(told).toEqual([['s1', 'usage_report', expect.objectContaining({ model: 'the-real-model', tokens_in: 11, tokens_out: 7 })]]);

        const tool = asks('s1', 'r2', 'use the tool');
        await tool.done;
        expect([tool.end, textOf(tool)]).toEqual(['complete', 'It said 42']);
        expect(tool.pieces.filter((piece) => piece.type === 'tool_start' || piece.type === 'tool_end')).toMatchObject([
          { type: 'tool_start', callId: 'call_1', toolName: 'exec' },
          { type: 'tool_end', callId: 'call_1', toolName: 'exec', isError: false },
        ]);
        expect(JSON.stringify(tool.pieces)).toContain('tool-42');

        const cancelled = asks('s1', 'r3', 'talk for ever');
        await until('its first words', () => textOf(cancelled) !== '', PATIENCE_MS);
        cancelled.stop.abort(new RunCancelled('user'));
        await cancelled.done;
        expect(cancelled.end).toBe('cancelled');
        await until('the model call to be given up', () => model.aborted === 1, PATIENCE_MS);

        const other = asks('s2', 'q1', 'and you?');
        await other.done;
        expect([other.end, textOf(other)]).toEqual(['complete', 'second']);
        expect(lastRequest()).not.toContain('hi there');
        expect(await adapter.start(dataOf('s1')).snapshot?.()).toMatchObject({ checkpoint: { agent: 'openclaw' } });
        expect(filesIn(folder.path).filter((file) => readFileSync(file).includes(KEY))).toEqual([]);
      },
      PATIENCE_MS * 2,
    );
  });
}
