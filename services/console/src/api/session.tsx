import { GatewayClient, type ClientState, GatewayError } from '@plexus/client-protocol';
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from 'react';
import { Api, ApiError } from './http.js';
import { forgetToken, keepToken, storedToken } from './token.js';
import { unsubscribeBrowser } from './web-push.js';

/** Why somebody sees the sign-in page. */
export type SignedOut = 'first' | 'left' | 'expired';

export interface Session {
  readonly api: Api;
  readonly client: GatewayClient;
  readonly state: ClientState;
  /** Counts connections: whoever shows what events told reads it again when this grows. */
  readonly connection: number;
  readonly signOut: () => void;
}

export interface SignIn {
  readonly why: SignedOut;
  /** What the gateway said of the last token. */
  readonly reason: string | undefined;
  /** Rejects with {@link ApiError} when the token is not good. */
  readonly signIn: (token: string) => Promise<void>;
}

const SessionContext = createContext<Session | undefined>(undefined);

/** The signed-in session; only below {@link SessionProvider}. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error('useSession outside of SessionProvider');
  return session;
}

export const useApi = (): Api => useSession().api;

/** Signs in with a token, holds one socket to the gateway while somebody is signed in, and shows `signIn` otherwise. */
export function SessionProvider({ children, signIn: SignInPage }: { readonly children: ReactNode; readonly signIn: (props: SignIn) => ReactNode }) {
  const [token, setToken] = useState(storedToken);
  const [why, setWhy] = useState<SignedOut>('first');
  const [reason, setReason] = useState<string>();

  const leave = useCallback((how: SignedOut, said?: string) => {
    forgetToken();
    setWhy(how);
    setReason(said);
    setToken(undefined);
  }, []);

  const signIn = useCallback(async (given: string) => {
    const trial = new Api(
      () => given,
      () => undefined,
    );
    await trial.get('/v1/sessions', { limit: 1 });
    keepToken(given);
    setToken(given);
  }, []);

  if (token === undefined) return <SignInPage why={why} reason={reason} signIn={signIn} />;
  return (
    <SignedIn key={token} token={token} leave={leave}>
      {children}
    </SignedIn>
  );
}

function SignedIn({
  token,
  leave,
  children,
}: {
  readonly token: string;
  readonly leave: (how: SignedOut, said?: string) => void;
  readonly children: ReactNode;
}) {
  const [state, setState] = useState<ClientState>('connecting');
  const [connection, setConnection] = useState(0);
  const api = useMemo(
    () =>
      new Api(
        () => token,
        (error) => leave('expired', error.message),
      ),
    [token, leave],
  );
  const [client, setClient] = useState<GatewayClient>();

  useEffect(() => {
    const opened = new GatewayClient({
      url: socketAddress(window.location),
      token: () => ticketFrom(api),
      client: { id: 'plexus-console', platform: 'web', mode: 'webchat', displayName: 'Console' },
      caps: ['tool-events'],
      onState: (next) => {
        setState(next);
        if (next === 'connected') setConnection((count) => count + 1);
      },
    });
    setClient(opened);
    // A refusal shows as the state; whoever waits for the connection hears of it.
    opened.connect().catch(() => undefined);
    return () => opened.close();
  }, [api]);

  const signOut = useCallback(() => {
    leave('left');
    // Whoever comes to this browser next is not shown what was meant for the one who leaves. A browser that forgets nothing has its own settings for it.
    unsubscribeBrowser().catch(() => undefined);
  }, [leave]);
  const session = useMemo(() => client && { api, client, state, connection, signOut }, [api, client, state, connection, signOut]);
  return session === undefined ? null : <SessionContext value={session}>{children}</SessionContext>;
}

/** A one-time ticket instead of the token: what proves a socket is worth nothing afterwards. */
async function ticketFrom(api: Api): Promise<string> {
  try {
    return (await api.post<{ ticket: string }>('/v1/ws-tickets', {})).ticket;
  } catch (cause) {
    if (!(cause instanceof ApiError) || cause.status !== 401) throw cause;
    throw new GatewayError({ code: 'INVALID_REQUEST', message: cause.message, details: { code: 'AUTH_TOKEN_MISMATCH' } }, { cause });
  }
}

function socketAddress({ protocol, host }: Location): string {
  return `${protocol === 'https:' ? 'wss:' : 'ws:'}//${host}/ws`;
}
