import type { pushContracts as push } from '@plexus/contracts';
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from 'react';
import { useSession } from '../api/session.js';
import { type Resource, useResource } from '../api/use-resource.js';

export type InboxItem = push.InboxItem;

export interface InboxPage {
  readonly head: number;
  readonly unread: number;
  readonly items: readonly InboxItem[];
}

export interface Inbox {
  readonly unread: number;
  readonly page: Resource<InboxPage>;
  /** Counts what arrived while this page is open; the newest title is read out. */
  readonly arrived: { readonly count: number; readonly title: string | undefined };
  readonly mark: (ids: readonly string[], state: 'seen' | 'read' | 'done') => Promise<void>;
  readonly acknowledge: (deliveryId: string) => Promise<void>;
}

const InboxContext = createContext<Inbox | undefined>(undefined);
const PAGE = 200;

export function useInbox(): Inbox {
  const inbox = useContext(InboxContext);
  if (inbox === undefined) throw new Error('useInbox outside of InboxProvider');
  return inbox;
}

/** The newest items, kept as the gateway tells: hints say that something changed, the inbox says what. */
export function InboxProvider({ children }: { readonly children: ReactNode }) {
  const { api, client, connection } = useSession();
  const page = useResource(
    useCallback((signal) => api.get<InboxPage>('/v1/inbox', { limit: PAGE }, signal), [api]),
    60_000,
  );
  const { reload } = page;
  const [arrived, setArrived] = useState<Inbox['arrived']>({ count: 0, title: undefined });

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(reload, 60);
    };
    const stops = [
      client.on('inbox.item', (payload) => {
        const { title } = payload as { title?: string };
        setArrived((before) => ({ count: before.count + 1, title }));
        soon();
      }),
      client.on('inbox.changed', soon),
    ];
    return () => {
      clearTimeout(timer);
      for (const stop of stops) stop();
    };
  }, [client, reload]);
  // What was missed while nobody was connected, between the first look and the first connection too.
  useEffect(() => {
    if (connection > 0) reload();
  }, [connection, reload]);

  const mark = useCallback<Inbox['mark']>(
    async (ids, state) => {
      await api.post('/v1/inbox/marks', { ids, state });
      reload();
    },
    [api, reload],
  );
  const acknowledge = useCallback<Inbox['acknowledge']>(
    async (deliveryId) => {
      await api.post('/v1/inbox/acks', { deliveryId });
      reload();
    },
    [api, reload],
  );
  const inbox = useMemo(() => ({ unread: page.data?.unread ?? 0, page, arrived, mark, acknowledge }), [page, arrived, mark, acknowledge]);
  return <InboxContext value={inbox}>{children}</InboxContext>;
}
