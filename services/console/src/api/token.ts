const KEY = 'plexus.token';

/** The bearer token of this tab. It is kept for the tab alone, and never stands in an address that is sent to anybody. */
export function storedToken(): string | undefined {
  return sessionStorage.getItem(KEY) ?? undefined;
}

export function keepToken(token: string): void {
  sessionStorage.setItem(KEY, token);
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}

/** Keeps the token of the page's address. Called before anything waits: who follows a link while the page is still being drawn must not lose it. */
export function keepGivenToken(): void {
  const given = takeTokenFromFragment(window.location, window.history);
  if (given !== undefined) keepToken(given);
}

/** Takes a token out of `#token=…`, as `npm start` prints it, and takes the fragment out of the address and the history. */
export function takeTokenFromFragment(location: Location, history: History): string | undefined {
  const token = tokenIn(location.hash);
  if (token === undefined) return undefined;
  history.replaceState(history.state, '', `${location.pathname}${location.search}`);
  return token;
}

/** Undefined: there is none in it. */
export function tokenIn(fragment: string): string | undefined {
  if (!fragment.startsWith('#')) return undefined;
  const token = new URLSearchParams(fragment.slice(1)).get('token')?.trim();
  return token === '' || token === null ? undefined : token;
}
