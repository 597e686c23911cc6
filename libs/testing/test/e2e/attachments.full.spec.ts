import { type FakeOpenAi, startFakeOpenAi, startTestMesh, type TestMesh } from '../../src/index.js';
import { MeshUser } from './mesh-user.js';

const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
/** More than one part on the way, and more than a model is shown. */
const NOTES = `The password of the fountain is otter.\n${'x'.repeat(600_000)}`;

type Part = { readonly type: string; readonly text?: string; readonly image_url?: { readonly url: string } };

describe('files that come with a message, in a whole mesh', () => {
  let mesh: TestMesh;
  let model: FakeOpenAi;
  let user: MeshUser;

  beforeAll(async () => {
    model = await startFakeOpenAi([{ kind: 'text', pieces: ['I see.'] }]);
    mesh = await startTestMesh({ env: { PLEXUS_MODEL_BASE_URL: model.baseUrl, PLEXUS_MODEL: 'fake' } });
    user = new MeshUser(mesh.gateway.http, mesh.token);
  }, 120_000);
  afterAll(async () => {
    await mesh?.stop();
    await model?.stop();
  }, 60_000);

  it('reach the model, a picture as a picture and text as text, also in the next run, and can be had back', async () => {
    const sessionKey = 'agent:main:files';
    const attachments = [
      { type: 'image', mimeType: 'image/png', fileName: 'dot.png', content: PNG.toString('base64') },
      { fileName: 'notes.txt', content: `data:text/plain;base64,${Buffer.from(NOTES).toString('base64')}` },
    ];
    const first = await user.request<{ runId: string }>('POST', '/v1/chat/send', {
      sessionKey,
      message: 'What is this?',
      attachments,
      idempotencyKey: 'with-files',
    });
    await user.complete(sessionKey, [first.runId], 120_000);
    const second = await user.say(sessionKey, 'And its colour?');
    await user.complete(sessionKey, [first.runId, second], 120_000);

    for (const request of model.requests) {
      const content = request.messages.find(({ content: one }) => Array.isArray(one))?.content as Part[] | undefined;
      expect(content?.filter(({ type }) => type === 'image_url').map(({ image_url }) => image_url?.url)).toEqual([
        `data:image/png;base64,${PNG.toString('base64')}`,
      ]);
      const text = content?.find(({ type }) => type === 'text')?.text ?? '';
      expect(text).toMatch(/^What is this\?/);
      expect(text).toContain('The password of the fountain is otter.');
      expect(text.length).toBeLessThan(150_000);
    }
    expect(model.requests.length).toBeGreaterThanOrEqual(2);

    type Attached = { readonly attachmentId: string; readonly name: string };
    const path = `/v1/sessions/${encodeURIComponent(sessionKey)}`;
    const history = await user.request<{ messages: { text: string; attachments?: Attached[] }[] }>('GET', `${path}/history`);
    const [asked] = history.messages;
    expect([asked?.text, asked?.attachments?.map(({ name }) => name)]).toEqual(['What is this?', ['dot.png', 'notes.txt']]);
    const read = async (index: number): Promise<[string | null, Buffer]> => {
      const url = `${mesh.gateway.http}${path}/attachments/${asked?.attachments?.[index]?.attachmentId}`;
      const response = await fetch(url, { headers: { authorization: `Bearer ${mesh.token}` } });
      expect(response.headers.get('content-disposition')).toMatch(/^attachment; /);
      return [response.headers.get('content-type'), Buffer.from(await response.arrayBuffer())];
    };
    expect(await read(0)).toEqual(['image/png', PNG]);
    expect(await read(1)).toEqual(['text/plain; charset=utf-8', Buffer.from(NOTES)]);
  }, 300_000);
});
