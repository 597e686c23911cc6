import { allPages } from './all-pages.js';

describe('reading page by page', () => {
  it('goes on until no cursor leads on, also over a page without anything', async () => {
    const pages: Record<string, { items: number[]; nextCursor?: string }> = {
      first: { items: [1, 2], nextCursor: 'a' },
      a: { items: [], nextCursor: 'b' },
      b: { items: [3] },
    };
    const found = await allPages(
      async ({ cursor = 'first' }) => pages[cursor] as (typeof pages)[string],
      ({ items }) => items,
    );
    expect(found).toEqual([1, 2, 3]);
  });
});
