import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type ExplainedDecision, type StageStatus, trackOf } from '../model/decision-track.js';
import { Icon, type IconName } from '../ui/icons.js';
import { Badge } from '../ui/parts.js';

const ICONS: Readonly<Record<StageStatus, IconName>> = { passed: 'check', deferred: 'clock', stopped: 'cross', sent: 'send', skipped: 'minus' };

/** The stages of a decision as a line that the event went along, up to where it ended. A stage opens what was looked at there. */
export function DecisionTrack({ decision }: { readonly decision: ExplainedDecision & { readonly until?: string | undefined } }) {
  const { t } = useTranslation();
  const stages = trackOf(decision);
  const end = stages.find(({ status }) => status === 'deferred' || status === 'stopped' || status === 'sent');
  const [open, setOpen] = useState(end?.stage ?? 'match');
  const shown = stages.find(({ stage }) => stage === open);
  return (
    <div className="stack">
      <ol className="track" aria-label={t('explain.stages')}>
        {stages.map(({ stage, status }) => (
          <li key={stage} className={`track-stage ${status}`}>
            <button
              type="button"
              aria-pressed={stage === open}
              aria-label={`${t(`stage.${stage}`)}: ${t(`explain.status.${status}`)}`}
              onClick={() => setOpen(stage)}
            >
              <Icon name={ICONS[status]} />
            </button>
            <span className="name" aria-hidden="true">
              {t(`stage.${stage}`)}
            </span>
          </li>
        ))}
      </ol>
      {shown !== undefined && (
        <section className="stack close" aria-live="polite">
          <h3>
            {t(`stage.${shown.stage}`)} <Badge>{t(`explain.status.${shown.status}`)}</Badge>
          </h3>
          <p className="muted">{t(`stageText.${shown.stage}`)}</p>
          {shown.steps.length === 0 ? (
            <p className="small muted">{t(shown.status === 'skipped' ? 'explain.notReached' : 'explain.noRule')}</p>
          ) : (
            <ul className="stack close">
              {shown.steps.map((step) => (
                <li key={`${step.rule} ${JSON.stringify(step.input)}`} className="command">
                  <div className="row spread">
                    <strong>{step.rule}</strong>
                    <Badge tone={step.verdict === 'pass' ? 'ok' : step.verdict === 'defer' ? 'warn' : 'bad'}>{t(`explain.verdict.${step.verdict}`)}</Badge>
                  </div>
                  {Object.entries(step.input ?? {}).map(([name, value]) => (
                    <div key={name} className="mono small">
                      <span className="muted">{name}</span> = {String(value)}
                    </div>
                  ))}
                </li>
              ))}
            </ul>
          )}
        </section>
      )}
    </div>
  );
}
