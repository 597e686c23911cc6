import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from 'react';
import { Notice } from './parts.js';

type Say = (text: string) => void;
const ToastContext = createContext<Say>(() => undefined);
const SHOWN_MS = 6_000;

/** Says that something was done; read out, and gone after a while. */
export const useToast = (): Say => useContext(ToastContext);

export function Toasts({ children }: { readonly children: ReactNode }) {
  const [shown, setShown] = useState<readonly { id: number; text: string }[]>([]);
  const say = useCallback<Say>((text) => {
    const id = Date.now() + Math.random();
    setShown((before) => [...before.slice(-2), { id, text }]);
    setTimeout(() => setShown((before) => before.filter((one) => one.id !== id)), SHOWN_MS);
  }, []);
  return (
    <ToastContext value={useMemo(() => say, [say])}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {shown.map(({ id, text }) => (
          <Notice key={id} tone="ok">
            {text}
          </Notice>
        ))}
      </div>
    </ToastContext>
  );
}
