import { useTranslation } from 'react-i18next';
import { PageHead } from '../ui/parts.js';
import { Contacts } from './contacts.js';
import { QuietHours } from './quiet-hours.js';
import { Silences } from './silences.js';
import { Wishes } from './wishes.js';

/** How I am reached, and when I am not. */
export default function ReachPage() {
  const { t } = useTranslation();
  return (
    <>
      <PageHead title={t('reach.title')} text={t('reach.text')} />
      <div className="split wide-left">
        <div className="stack">
          <Wishes />
          <Silences />
        </div>
        <div className="stack">
          <QuietHours />
          <Contacts />
        </div>
      </div>
    </>
  );
}
