import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { diffRows } from '../model/line-diff.js';

const SIGNS = { added: '+', removed: '−', same: ' ', gap: ' ' } as const;

/** Two texts line by line. Signs and not only colours tell what was added and what was removed. */
export function Diff({ label, before, after }: { readonly label: string; readonly before: string; readonly after: string }) {
  const { t } = useTranslation();
  const rows = useMemo(() => diffRows(before, after), [before, after]);
  if (rows.length === 0) return <p className="muted">{t('diff.same')}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: long differences are scrolled, with the keyboard too
    <section className="diff command" aria-label={label} tabIndex={0}>
      {rows.map(({ kind, text, key }) => (
        <div key={key} className={kind}>
          <span>
            {SIGNS[kind]}
            {(kind === 'added' || kind === 'removed') && <span className="visually-hidden">{t(`diff.${kind}`)}</span>}
          </span>
          <span>{text === '' ? ' ' : text}</span>
        </div>
      ))}
    </section>
  );
}
