import { type ReactNode, useId } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../api/http.js';
import { formatAgo, formatTime } from '../model/format.js';
import { Icon, type IconName } from './icons.js';

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'accent' | 'plain';

/** Title of a page, what it is for, and what can be done on it. */
export function PageHead({ title, text, children }: { readonly title: string; readonly text?: ReactNode; readonly children?: ReactNode }) {
  return (
    <header className="page-head">
      <div>
        <h1 id="page-title" tabIndex={-1}>
          {title}
        </h1>
        {text !== undefined && <p>{text}</p>}
      </div>
      {children !== undefined && <div className="row">{children}</div>}
    </header>
  );
}

export function Card({
  title,
  actions,
  children,
  flush = false,
}: {
  readonly title?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
  /** Without distance to its content, for lists and tables. */
  readonly flush?: boolean;
}) {
  const id = useId();
  return (
    <section className="card" aria-labelledby={title === undefined ? undefined : id}>
      {title !== undefined && (
        <div className="card-head">
          <h2 id={id}>{title}</h2>
          {actions !== undefined && <div className="row">{actions}</div>}
        </div>
      )}
      {flush ? children : <div className="card-body">{children}</div>}
    </section>
  );
}

export function Badge({ tone = 'plain', dot = false, children }: { readonly tone?: Tone; readonly dot?: boolean; readonly children: ReactNode }) {
  return <span className={`badge ${tone}${dot ? ' dot' : ''}`}>{children}</span>;
}

/** A message beside what it is about. `live`: read out when it appears. */
export function Notice({
  tone = 'info',
  title,
  children,
  live = false,
}: {
  readonly tone?: 'ok' | 'warn' | 'bad' | 'info';
  readonly title?: ReactNode;
  readonly children?: ReactNode;
  readonly live?: boolean;
}) {
  const icon: IconName = tone === 'ok' ? 'check' : tone === 'info' ? 'info' : 'dead';
  return (
    <div className={`notice ${tone}`} role={live ? (tone === 'bad' ? 'alert' : 'status') : undefined}>
      <Icon name={icon} />
      <div className="notice-text">
        {title !== undefined && <strong>{title}</strong>}
        {children}
      </div>
    </div>
  );
}

/** An error as people can use it: what happened, where, and what to do. Nothing where there is none. */
export function ErrorNote({ error, retry }: { readonly error: unknown; readonly retry?: () => void }) {
  const { t } = useTranslation();
  if (error === undefined) return null;
  const known = error instanceof ApiError ? error : undefined;
  const code = known?.code ?? 'UNKNOWN';
  const advice = t(`errors.${code}`, { defaultValue: '' });
  return (
    <Notice tone="bad" live title={advice === '' ? t('errors.title') : advice}>
      <span>{error instanceof Error ? error.message : String(error)}</span>
      {known !== undefined && known.issues.length > 0 && (
        <ul>
          {known.issues.map(({ path, message }) => (
            <li key={`${path} ${message}`}>
              <code>{path}</code> {message}
            </li>
          ))}
        </ul>
      )}
      <div className="row small">
        <code className="muted">{code}</code>
        {retry !== undefined && (
          <button type="button" className="button small" onClick={retry}>
            {t('retry')}
          </button>
        )}
      </div>
    </Notice>
  );
}

export function Busy({ text }: { readonly text?: string }) {
  const { t } = useTranslation();
  return (
    <div className="busy" role="status">
      <span className="spinner" aria-hidden="true" />
      {text ?? t('loading')}
    </div>
  );
}

/** Nothing is here yet, and what to do about it: text, then a command or a button. */
export function Empty({
  icon,
  title,
  text,
  command,
  children,
}: {
  readonly icon: IconName;
  readonly title: string;
  readonly text?: ReactNode;
  readonly command?: string;
  readonly children?: ReactNode;
}) {
  return (
    <div className="empty">
      <Icon name={icon} />
      <h3>{title}</h3>
      {text !== undefined && <p>{text}</p>}
      {command !== undefined && <Command text={command} />}
      {children}
    </div>
  );
}

/** A command to copy; the keyboard can reach it to scroll. */
export function Command({ text }: { readonly text: string }) {
  const { t } = useTranslation();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: long commands are scrolled, with the keyboard too
    <section className="command" tabIndex={0} aria-label={t('command')}>
      <pre>{text}</pre>
    </section>
  );
}

/** Wider than its place, perhaps: scrolled sideways, with the keyboard too. */
export function Scroll({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  const { t } = useTranslation();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what is cut off is scrolled, with the keyboard too
    <section className="scroll-x" tabIndex={0} aria-label={t('of', { what: t('table'), name: label })}>
      {children}
    </section>
  );
}

/** A labelled control: the child gets `id` and `aria-describedby`. */
export function Field({
  label,
  hint,
  children,
}: {
  readonly label: ReactNode;
  readonly hint?: ReactNode;
  readonly children: (control: { id: string; 'aria-describedby': string | undefined }) => ReactNode;
}) {
  const id = useId();
  const hintId = `${id}-hint`;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, 'aria-describedby': hint === undefined ? undefined : hintId })}
      {hint !== undefined && (
        <span className="hint" id={hintId}>
          {hint}
        </span>
      )}
    </div>
  );
}

/** When something was: short, and whole on hover and for machines. `ago`: how long it is since. */
export function When({ at, ago = false }: { readonly at: string | undefined; readonly ago?: boolean }) {
  const { i18n } = useTranslation();
  if (at === undefined) return <span className="muted">–</span>;
  return (
    <time dateTime={at} title={formatTime(at, i18n.language, 'long')} className="number">
      {ago ? formatAgo(at, Date.now(), i18n.language) : formatTime(at, i18n.language, 'short')}
    </time>
  );
}

/** A value as JSON behind a line that opens it. */
export function JsonDetails({ label, value }: { readonly label: string; readonly value: unknown }) {
  return (
    <details className="details">
      <summary>{label}</summary>
      <pre className="command">{JSON.stringify(value, undefined, 2)}</pre>
    </details>
  );
}

/** One of few: like tabs, for what is shown. */
export function Choice<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  readonly label: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly label: string }[];
  readonly onChange: (value: T) => void;
}) {
  return (
    <fieldset className="tabs" aria-label={label}>
      {options.map((option) => (
        <button key={option.value} type="button" aria-pressed={option.value === value} onClick={() => onChange(option.value)}>
          {option.label}
        </button>
      ))}
    </fieldset>
  );
}
