import { useCallback, useEffect, useRef, useState } from 'react';

export interface Resource<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  /** Nothing has come yet. */
  readonly loading: boolean;
  readonly reload: () => void;
  /** Shows this until the next answer. */
  readonly replace: (change: (data: T) => T) => void;
}

/**
 * What `load` answers, asked again when `load` changes (memoise it), on {@link Resource.reload}, and every `refreshMs` while the page is
 * seen. An earlier answer stays while the next is on its way, and when asking again fails. `load` undefined: nothing is asked.
 */
export function useResource<T>(load: ((signal: AbortSignal) => Promise<T>) | undefined, refreshMs?: number): Resource<T> {
  const [state, setState] = useState<{ load: unknown; data: T | undefined; error: unknown }>({ load: undefined, data: undefined, error: undefined });
  const [turn, setTurn] = useState(0);
  const current = useRef(load);
  current.current = load;

  useEffect(() => {
    if (load === undefined) return undefined;
    const gone = new AbortController();
    load(gone.signal).then(
      (data) => !gone.signal.aborted && setState({ load, data, error: undefined }),
      (error: unknown) => !gone.signal.aborted && setState((before) => ({ load, data: before.load === load ? before.data : undefined, error })),
    );
    return () => gone.abort();
  }, [load, turn]);

  const reload = useCallback(() => setTurn((before) => before + 1), []);
  useEffect(() => {
    if (refreshMs === undefined) return undefined;
    const timer = setInterval(() => document.visibilityState === 'visible' && reload(), refreshMs);
    return () => clearInterval(timer);
  }, [refreshMs, reload]);

  const replace = useCallback((change: (data: T) => T) => {
    setState((before) => (before.data === undefined ? before : { ...before, data: change(before.data) }));
  }, []);
  const known = state.load === load;
  return { data: known ? state.data : undefined, error: known ? state.error : undefined, loading: load !== undefined && !known, reload, replace };
}
