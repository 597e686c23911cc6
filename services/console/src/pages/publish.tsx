import { lazy, Suspense, useCallback, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { type Contracts, curlCommand, draftEvent, eventFormSchema, withoutEmpty } from '../model/event-form.js';
import { Editor } from '../ui/editor.js';
import { Badge, Busy, Card, Choice, Command, ErrorNote, Field, Notice, PageHead } from '../ui/parts.js';

const SchemaForm = lazy(() => import('../ui/schema-form.js'));

interface Stored {
  readonly id: string;
  readonly source: string;
  readonly subject: string;
  readonly stream: string;
  readonly seq: number;
  readonly duplicate: boolean;
}
type Event = Record<string, unknown>;

const newId = () => `evt-${crypto.randomUUID().slice(0, 8)}`;

/** Any event, by a form that its contract makes. */
export default function PublishPage() {
  const { t } = useTranslation();
  const api = useApi();
  const contracts = useResource(useCallback((signal: AbortSignal) => api.get<Contracts>('/v1/contracts', { kind: 'in' }, signal), [api]));
  return (
    <>
      <PageHead title={t('publish.title')} text={t('publish.text')} />
      <ErrorNote error={contracts.error} retry={contracts.reload} />
      {contracts.loading && <Busy />}
      {contracts.data !== undefined && <Workbench contracts={contracts.data} />}
    </>
  );
}

function Workbench({ contracts }: { readonly contracts: Contracts }) {
  const { t } = useTranslation();
  const api = useApi();
  const [name, setName] = useState('');
  const contract = contracts.contracts.find((one) => one.name === name);
  const [event, setEvent] = useState<Event>(() => draftEvent(contracts, undefined, newId()));
  const [view, setView] = useState<'form' | 'json'>('form');
  const [json, setJson] = useState('');
  const schema = useMemo(() => eventFormSchema(contracts.event.schema, contract), [contracts, contract]);
  const clean = useMemo(() => withoutEmpty(event) as Event, [event]);
  const publish = useAction(async () => {
    const sent = view === 'json' ? (JSON.parse(json) as Event) : clean;
    const stored = await api.post<Stored>('/v1/events', sent);
    // The next one is another event, not a repetition of this one.
    setEvent((before) => ({ ...before, id: newId() }));
    return stored;
  });
  const choose = (next: string) => {
    setName(next);
    const chosen = contracts.contracts.find((one) => one.name === next);
    setEvent(draftEvent(contracts, chosen, newId()));
  };
  const show = (next: 'form' | 'json') => {
    if (next === 'json') setJson(JSON.stringify(clean, undefined, 2));
    else setEvent((before) => parsed(json) ?? before);
    setView(next);
  };
  return (
    <div className="split wide-left">
      <Card
        title={t('publish.event')}
        actions={
          <Choice
            label={t('publish.view')}
            value={view}
            onChange={show}
            options={[
              { value: 'form', label: t('publish.form') },
              { value: 'json', label: 'JSON' },
            ]}
          />
        }
      >
        <div className="stack">
          <Field label={t('publish.contract')} hint={contract?.summary ?? t('publish.anyText')}>
            {(control) => (
              <select {...control} className="input" value={name} onChange={({ target }) => choose(target.value)}>
                <option value="">{t('publish.any')}</option>
                {contracts.contracts.map((one) => (
                  <option key={one.name} value={one.name}>
                    {one.name}
                  </option>
                ))}
              </select>
            )}
          </Field>
          {view === 'form' ? (
            <Suspense fallback={<Busy />}>
              <SchemaForm
                key={name}
                schema={schema}
                data={event}
                onChange={setEvent}
                onSubmit={() => void publish.run()}
                submit={t('publish.action')}
                busy={publish.busy}
              />
            </Suspense>
          ) : (
            <>
              <Editor label={t('publish.event')} language="json" value={json} onChange={setJson} height="380px" />
              <div>
                <button type="button" className="button primary" disabled={publish.busy} onClick={() => void publish.run()}>
                  {t('publish.action')}
                </button>
              </div>
            </>
          )}
        </div>
      </Card>
      <div className="stack">
        <ErrorNote error={publish.error} />
        {publish.result !== undefined && <Published stored={publish.result} />}
        <Card title={t('publish.script')}>
          <div className="stack close">
            <p className="muted small">{t('publish.scriptText')}</p>
            <Command text={curlCommand(window.location.origin, clean)} />
          </div>
        </Card>
      </div>
    </div>
  );
}

function parsed(text: string): Event | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Event) : undefined;
  } catch {
    // Half a text: the form goes on with what it had.
    return undefined;
  }
}

function Published({ stored }: { readonly stored: Stored }) {
  const { t } = useTranslation();
  return (
    <Notice tone="ok" live title={t(stored.duplicate ? 'publish.duplicate' : 'publish.stored')}>
      <div className="stack close">
        <div>
          <code>{stored.subject}</code> <Badge>{`${stored.stream} #${stored.seq}`}</Badge>
        </div>
        <div className="row">
          <Link className="button small" to="/inbox">
            {t('publish.inbox')}
          </Link>
          <Link className="button small" to={`/explain?${new URLSearchParams({ event: stored.id, source: stored.source })}`}>
            {t('publish.why')}
          </Link>
        </div>
      </div>
    </Notice>
  );
}
