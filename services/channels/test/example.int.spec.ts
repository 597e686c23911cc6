import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { channelRole } from '@plexus/contracts';
import { boardAdapter } from './example/board.adapter.js';
import { ChannelMesh } from './support/channel-mesh.js';
import { type Call, HttpStandIn } from './support/http-stand-in.js';

const here = path.dirname(fileURLToPath(import.meta.url));

describe('the adapter of the guide', () => {
  it('is printed in the guide as it is tested', () => {
    const source = readFileSync(path.join(here, 'example/board.adapter.ts'), 'utf8').replaceAll('../../src/kit/', '../kit/');
    const guide = readFileSync(path.join(here, '../../../docs/guides/channel-adapter.md'), 'utf8');
    expect(guide).toContain(`\`\`\`ts\n${source}\`\`\``);
  });

  it('brings messages in once, sends, and shows what is wrong', async () => {
    const mesh = await ChannelMesh.start([channelRole('board')]);
    let confirmed = 0;
    const message = { id: 1, room: 'kitchen', author: 'ada', text: 'coffee?', at: '2026-11-21T10:00:00.000Z' };
    const board = await HttpStandIn.plain(({ path: where, headers, body }: Call) => {
      if (headers.authorization !== 'Bearer board-token') return { status: 401 };
      if (where === '/confirm') confirmed = body.id;
      if (where.startsWith('/updates')) return confirmed === 0 ? { body: { messages: [message] } } : sleep(100, { body: { messages: [] } });
      return { body: { id: 2 } };
    });
    const settings = { url: board.url, token: mesh.secret('board', 'board-token') };
    await mesh.configure({ board: { accounts: { main: { settings }, wrong: { settings: { ...settings, token: mesh.secret('other', 'other-token') } } } } });
    try {
      let sendTimeoutMs = 60_000;
      const timed = {
        get sendTimeoutMs() {
          return sendTimeoutMs;
        },
      };
      await mesh.run(Object.defineProperties({ ...boardAdapter }, Object.getOwnPropertyDescriptors(timed)));
      expect((await mesh.event('message-received')).data).toMatchObject({ account: 'main', chat: { kind: 'group', id: 'kitchen' }, text: 'coffee?' });
      expect((await mesh.state('wrong', 'down')).data.reason).toBe('the board answers 401');
      await mesh.send('board', { sendId: 'answer', to: 'kitchen', text: 'Gladly.' });
      expect(await mesh.outcome('answer')).toMatchObject({ name: 'send-succeeded', source: 'board', data: { messageId: '2' } });
      board.once('/messages', { status: 429, headers: { 'retry-after': '1' } });
      await mesh.send('board', { sendId: 'busy', to: 'kitchen' });
      expect((await mesh.outcome('busy')).data.error).toMatchObject({ status: 429, retryAfterMs: 1_000 });
      board.once('/messages', 'hang');
      sendTimeoutMs = 500;
      await mesh.send('board', { sendId: 'hanging', to: 'kitchen' });
      expect((await mesh.outcome('hanging')).data.error).toMatchObject({ code: 'ETIMEDOUT', status: 504 });
      expect(mesh.events.filter(({ name }) => name === 'message-received')).toHaveLength(1);
    } finally {
      await mesh.stop();
      await board.stop();
    }
  });
});
