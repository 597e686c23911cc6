import type { pushPolicyContracts as policy, ResponseOf } from '@plexus/contracts';
import { useCallback, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { lineOfProblem } from '../model/yaml-problem.js';
import { Confirm } from '../ui/dialog.js';
import { Diff } from '../ui/diff.js';
import { Editor } from '../ui/editor.js';
import { Badge, Busy, Card, Choice, ErrorNote, Notice, PageHead, type Tone, When } from '../ui/parts.js';
import { useToast } from '../ui/toasts.js';
import { PolicyReplay } from './policy-replay.js';

type Summary = policy.PolicySummary;
type Whole = ResponseOf<typeof policy.getPolicy>;
type Report = policy.PolicyTestReport;
const TONES: Readonly<Record<string, Tone>> = { active: 'ok', tested: 'info', draft: 'warn', retired: 'plain' };
type View = 'edit' | 'diff' | 'replay';

/** Policies decide what interrupts whom: written, tested, tried on what has happened, then activated. */
export default function PoliciesPage() {
  const { t } = useTranslation();
  const api = useApi();
  const list = useResource(useCallback((signal: AbortSignal) => api.get<{ active: number; policies: Summary[] }>('/v1/policies', undefined, signal), [api]));
  const [chosen, setChosen] = useState<number>();
  const version = chosen ?? list.data?.active;
  return (
    <>
      <PageHead title={t('policies.title')} text={t('policies.text')} />
      <ErrorNote error={list.error} retry={list.reload} />
      {list.loading && <Busy />}
      {list.data !== undefined && version !== undefined && (
        <div className="split">
          <Card title={t('policies.versions')} flush>
            <ul>
              {[...list.data.policies, ...(list.data.policies.some((one) => one.version === 0) ? [] : [builtIn(list.data.active === 0)])].map((one) => (
                <li key={one.version}>
                  <VersionButton policy={one} selected={one.version === version} onSelect={() => setChosen(one.version)} />
                </li>
              ))}
            </ul>
          </Card>
          <PolicyWorkbench
            key={version}
            version={version}
            active={list.data.active}
            onChanged={(next) => {
              list.reload();
              setChosen(next);
            }}
          />
        </div>
      )}
    </>
  );
}

const builtIn = (active: boolean) => ({ version: 0, name: '', state: active ? ('active' as const) : ('tested' as const), createdAt: undefined });

function VersionButton({
  policy: { version, name, state, createdAt },
  selected,
  onSelect,
}: {
  readonly policy: Pick<Summary, 'version' | 'name' | 'state'> & { readonly createdAt?: string | undefined };
  readonly selected: boolean;
  readonly onSelect: () => void;
}) {
  const { t } = useTranslation();
  return (
    <button type="button" className="choice" aria-pressed={selected} onClick={onSelect}>
      <span className="row spread tight">
        <span className="clip">
          <strong>{version === 0 ? t('policies.builtIn') : name}</strong> <span className="muted">v{version}</span>
        </span>
        <Badge tone={TONES[state] ?? 'plain'}>{t(`policies.state.${state}`)}</Badge>
      </span>
      {createdAt !== undefined && (
        <span className="small muted">
          <When at={createdAt} />
        </span>
      )}
    </button>
  );
}

function PolicyWorkbench({ version, active, onChanged }: { readonly version: number; readonly active: number; readonly onChanged: (version: number) => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const whole = useResource(useCallback((signal: AbortSignal) => api.get<Whole>(`/v1/policies/${version}`, undefined, signal), [api, version]));
  const current = useResource(useCallback((signal: AbortSignal) => api.get<Whole>(`/v1/policies/${active}`, undefined, signal), [api, active]));
  const [text, setText] = useState<string>();
  const [view, setView] = useState<View>('edit');
  useEffect(() => setText(whole.data?.text), [whole.data]);
  if (whole.error !== undefined) return <ErrorNote error={whole.error} retry={whole.reload} />;
  if (whole.data === undefined || text === undefined) return <Busy />;
  const stored = whole.data;
  const changedStored = (next: number) => {
    whole.reload();
    onChanged(next);
  };
  const changed = text !== stored.text;
  return (
    <Card
      title={stored.policy.version === 0 ? t('policies.builtIn') : `${stored.policy.name} v${version}`}
      actions={
        <Choice
          label={t('policies.view')}
          value={view}
          onChange={setView}
          options={(['edit', 'diff', 'replay'] as const).map((value) => ({ value, label: t(`policies.views.${value}`) }))}
        />
      }
    >
      <div className="stack">
        {view === 'edit' && <PolicyEditor stored={stored} text={text} setText={setText} changed={changed} onChanged={changedStored} />}
        {view === 'diff' && <Diff label={t('policies.views.diff')} before={current.data?.text ?? ''} after={text} />}
        {view === 'replay' && <PolicyReplay version={version} unsaved={changed} />}
      </div>
    </Card>
  );
}

function PolicyEditor({
  stored,
  text,
  setText,
  changed,
  onChanged,
}: {
  readonly stored: Whole;
  readonly text: string;
  readonly setText: (text: string) => void;
  readonly changed: boolean;
  readonly onChanged: (version: number) => void;
}) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [asking, setAsking] = useState(false);
  const { version, state } = stored.policy;
  const editable = state === 'draft' || state === 'tested';
  const yaml = { text: { type: 'application/yaml', content: text } };
  const test = useAction(async () => {
    if (changed || version === 0) return api.post<{ report: Report }>('/v1/policies/test', undefined, yaml);
    const answer = await api.post<{ report: Report }>(`/v1/policies/${version}/test`);
    onChanged(version);
    return answer;
  });
  const save = useAction(async () => {
    const written = editable && version > 0;
    const answer = await (written
      ? api.put<{ policy: Summary }>(`/v1/policies/${version}`, undefined, yaml)
      : api.post<{ policy: Summary }>('/v1/policies', undefined, yaml));
    say(t('policies.saved', { version: answer.policy.version }));
    onChanged(answer.policy.version);
  });
  const activate = useAction(async () => {
    const answer = await api.post<ResponseOf<typeof policy.activatePolicy>>(`/v1/policies/${version}/activate`, {});
    setAsking(false);
    say(t('policies.activated', { version: answer.policy.version }));
    onChanged(version);
  });
  const line = lineOfProblem(test.error ?? save.error);
  return (
    <>
      {!editable && (
        <Notice>
          {t(version === 0 ? 'policies.builtInText' : 'policies.newDraft')}
          {version === 0 && !changed && (
            <div>
              <button type="button" className="button small" onClick={() => setText(EXAMPLE_POLICY)}>
                {t('policies.example')}
              </button>
            </div>
          )}
        </Notice>
      )}
      <Editor label={t('policies.editor')} language="yaml" value={text} onChange={setText} height="420px" problems={line === undefined ? NONE : [line]} />
      <div className="row">
        <button type="button" className="button" disabled={test.busy} onClick={() => void test.run()}>
          {t('policies.test')}
        </button>
        <button type="button" className="button" disabled={save.busy || !changed} onClick={() => void save.run()}>
          {t(editable && version > 0 ? 'policies.save' : 'policies.saveNew')}
        </button>
        <button type="button" className="button primary" disabled={changed || version === 0 || state === 'active'} onClick={() => setAsking(true)}>
          {t('policies.activate')}
        </button>
        {changed && <span className="muted small">{t('policies.unsaved')}</span>}
      </div>
      <ErrorNote error={test.error ?? save.error} />
      {test.result !== undefined && <TestReport report={test.result.report} />}
      {asking && (
        <Confirm
          title={t('policies.activateTitle', { version })}
          text={t('policies.activateText')}
          action={t('policies.activate')}
          busy={activate.busy}
          error={activate.error}
          onConfirm={() => void activate.run()}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}

/** Something to begin with: fewer interruptions, never fewer critical ones, and a test that says so. */
const EXAMPLE_POLICY = `# At most two interruptions an hour; progress of one case comes as one message.
name: calmer
mandatory:
  - { types: ['alert_raised'], severities: [critical] }
group:
  - match: { types: ['*progress*'] }
    by: case
    mode: trailing
    windowSeconds: 900
throttle:
  - { n: 2, perSeconds: 3600 }
tests:
  - name: the third event of an hour does not interrupt
    steps:
      - { at: 0, event: { id: a, type: report_published } }
      - { at: 1, event: { id: b, type: report_published } }
      - { at: 2, event: { id: c, type: report_published } }
    expect:
      interrupts: 2
`;
const NONE: readonly never[] = [];

function TestReport({ report: { passed, total, failures } }: { readonly report: Report }) {
  const { t } = useTranslation();
  return (
    <Notice
      tone={passed ? 'ok' : 'bad'}
      live
      title={t(passed ? (total === 0 ? 'policies.noTests' : 'policies.passed') : 'policies.failed', { total, failed: failures.length })}
    >
      {failures.length > 0 && (
        <ul>
          {failures.map(({ test, message }) => (
            <li key={test}>
              <strong>{test}</strong> {message}
            </li>
          ))}
        </ul>
      )}
    </Notice>
  );
}
