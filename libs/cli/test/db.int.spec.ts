import { startTestPostgres, type TestPostgres } from '@plexus/testing';
import { plexus } from './plexus.js';

describe('plexus db', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startTestPostgres();
  }, 180_000);
  afterAll(() => postgres?.stop());

  it('says what is pending, applies it once, and is content afterwards', async () => {
    const environment = { DATABASE_URL: postgres.url(), MEMORY_DATABASE_URL: postgres.url() };
    const before = await plexus(['db', 'status', '--json'], environment);
    expect(before.code).toBe(4);
    expect(before.json<{ service: string; pending: string[] }[]>().map(({ service, pending }) => [service, pending.length > 0])).toEqual([
      ['routing', true],
      ['push', true],
      ['scheduler', true],
      ['memory', true],
    ]);
    expect((await plexus(['db', 'migrate'], environment)).code).toBe(0);
    expect((await plexus(['db', 'status'], environment)).code).toBe(0);
    const again = await plexus(['db', 'migrate', '--json'], environment);
    expect(again.json<{ applied: string[] }[]>().flatMap(({ applied }) => applied)).toEqual([]);
  }, 180_000);

  it('asks for a database when none is named, and says when none answers', async () => {
    expect((await plexus(['db', 'migrate'])).code).toBe(2);
    expect((await plexus(['db', 'status'], { DATABASE_URL: 'postgresql://127.0.0.1:1/none' })).code).toBe(3);
  });
});
