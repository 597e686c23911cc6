import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Action } from '../api/use-action.js';
import { ErrorNote, Field } from './parts.js';

/** One of few, by a native list. */
export function SelectField<T extends string>({
  label,
  hint,
  value,
  options,
  onChange,
}: {
  readonly label: string;
  readonly hint?: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly label: string }[];
  readonly onChange: (value: T) => void;
}) {
  return (
    <Field label={label} {...(hint !== undefined && { hint })}>
      {(control) => (
        <select {...control} className="input" value={value} onChange={({ target }) => onChange(target.value as T)}>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

/** A line of text, a time, a number. */
export function TextField({
  label,
  hint,
  value,
  type = 'text',
  mono = false,
  optional = false,
  placeholder,
  list,
  onChange,
}: {
  readonly label: string;
  readonly hint?: string;
  readonly value: string;
  readonly type?: 'text' | 'time' | 'email' | 'url' | 'number' | 'datetime-local';
  readonly mono?: boolean;
  readonly optional?: boolean;
  readonly placeholder?: string;
  /** Id of a datalist. */
  readonly list?: string;
  readonly onChange: (value: string) => void;
}) {
  return (
    <Field label={label} {...(hint !== undefined && { hint })}>
      {(control) => (
        <input
          {...control}
          className={`input${mono ? ' mono' : ''}`}
          type={type}
          required={!optional}
          value={value}
          {...(placeholder !== undefined && { placeholder })}
          {...(list !== undefined && { list })}
          onChange={({ target }) => onChange(target.value)}
        />
      )}
    </Field>
  );
}

/** Fields, what went wrong, and the button that sends them. */
export function ActionForm({
  action,
  label,
  extra,
  children,
}: {
  readonly action: Action<readonly [], unknown>;
  readonly label: string;
  readonly extra?: ReactNode;
  readonly children: ReactNode;
}) {
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void action.run();
  };
  return (
    <form className="stack" onSubmit={submit}>
      {children}
      <ErrorNote error={action.error} />
      <div className="row">
        <button type="submit" className="button primary" disabled={action.busy}>
          {label}
        </button>
        {extra}
      </div>
    </form>
  );
}

/** Beside a form that changes something: leaves it as it was. */
export function CancelButton({ onCancel }: { readonly onCancel: () => void }) {
  const { t } = useTranslation();
  return (
    <button type="button" className="button" onClick={onCancel}>
      {t('cancel')}
    </button>
  );
}

/** Opens the form that changes one of a list. */
export function ChangeButton({ name, onChange }: { readonly name: string; readonly onChange: () => void }) {
  const { t } = useTranslation();
  return (
    <button type="button" className="button small" onClick={onChange} aria-label={t('form.changeOne', { name })}>
      {t('form.change')}
    </button>
  );
}

/** Which one of a list is being changed. The form comes into sight with the focus in it. */
export function useChanging<T extends { readonly id: string }>() {
  const [changing, setChanging] = useState<T>();
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (changing === undefined) return;
    place.current?.scrollIntoView({ block: 'nearest' });
    place.current?.querySelector<HTMLElement>('input, select, textarea')?.focus();
  }, [changing]);
  return { changing, change: setChanging, end: () => setChanging(undefined), place };
}

const ZONES = 'time-zones';

/** An IANA time zone: typed, with those that the browser knows as suggestions. */
export function TimeZoneField({ label, value, onChange }: { readonly label: string; readonly value: string; readonly onChange: (value: string) => void }) {
  return (
    <>
      <TextField label={label} value={value} list={ZONES} onChange={onChange} />
      <datalist id={ZONES}>
        {Intl.supportedValuesOf('timeZone').map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
    </>
  );
}

/** Where the browser is. */
export const ownTimeZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
