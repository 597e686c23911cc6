import { useCallback, useRef, useState } from 'react';

export interface Action<A extends readonly unknown[], T> {
  /** Resolves with undefined when it failed: {@link Action.error} says why. */
  readonly run: (...input: A) => Promise<T | undefined>;
  readonly busy: boolean;
  readonly error: unknown;
  readonly result: T | undefined;
  readonly clear: () => void;
}

/** Something that a person does: busy while it runs, and its error is kept for them to read. One at a time. */
export function useAction<A extends readonly unknown[], T>(perform: (...input: A) => Promise<T>): Action<A, T> {
  const [state, setState] = useState<{ busy: boolean; error: unknown; result: T | undefined }>({ busy: false, error: undefined, result: undefined });
  const latest = useRef(perform);
  latest.current = perform;
  const running = useRef(false);
  const run = useCallback(async (...input: A): Promise<T | undefined> => {
    if (running.current) return undefined;
    running.current = true;
    setState((before) => ({ ...before, busy: true, error: undefined }));
    try {
      const result = await latest.current(...input);
      setState({ busy: false, error: undefined, result });
      return result;
    } catch (error) {
      setState({ busy: false, error, result: undefined });
      return undefined;
    } finally {
      running.current = false;
    }
  }, []);
  const clear = useCallback(() => setState({ busy: false, error: undefined, result: undefined }), []);
  return { ...state, run, clear };
}
