import { useTranslation } from 'react-i18next';
import { useSearchParams } from 'react-router';
import { useWhoAmI } from '../api/whoami.js';
import { Choice, PageHead } from '../ui/parts.js';
import { DispatchRules } from './dispatch-rules.js';
import { Schedules } from './schedules.js';

const VIEWS = ['schedules', 'rules'] as const;

/** What happens by itself: at fixed times, and when something happens. */
export default function AutomationPage() {
  const { t } = useTranslation();
  const who = useWhoAmI();
  const [params, setParams] = useSearchParams();
  // Rules see every event of the tenant: operators only.
  const operates = who.data?.scopes.includes('operator.admin') === true;
  const view = operates && params.get('view') === 'rules' ? 'rules' : 'schedules';
  return (
    <>
      <PageHead title={t('automation.title')} text={t(`automation.head.${view}`)}>
        {operates && (
          <Choice
            label={t('automation.view')}
            value={view}
            options={VIEWS.map((value) => ({ value, label: t(`automation.views.${value}`) }))}
            onChange={(next) => setParams(next === 'schedules' ? {} : { view: next })}
          />
        )}
      </PageHead>
      {view === 'rules' ? <DispatchRules /> : <Schedules />}
    </>
  );
}
