import { startTestMesh, type TestMesh } from '@plexus/testing';
import { describePush } from './push.js';
import { describePushInbox } from './push-inbox.js';

describe('what people say to push and hear from it, in a mesh of its own', () => {
  let mesh: TestMesh;

  beforeAll(async () => {
    mesh = await startTestMesh();
  }, 180_000);
  afterAll(async () => {
    await mesh?.stop();
  }, 180_000);

  describePush(() => mesh);
  describePushInbox(() => mesh);
});
