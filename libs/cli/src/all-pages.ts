/** Everything that a call answers page by page. `read` is given the cursor of the page, or nothing for the first one. */
export async function allPages<P extends { readonly nextCursor?: string | undefined }, T>(
  read: (place: { readonly cursor?: string }) => Promise<P>,
  itemsOf: (page: P) => readonly T[],
): Promise<T[]> {
  const found: T[] = [];
  for (let place: { readonly cursor?: string } = {}; ; ) {
    const page = await read(place);
    found.push(...itemsOf(page));
    if (page.nextCursor === undefined) return found;
    place = { cursor: page.nextCursor };
  }
}
