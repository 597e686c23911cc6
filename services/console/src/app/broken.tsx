import { useTranslation } from 'react-i18next';
import { useRouteError } from 'react-router';
import { ErrorNote } from '../ui/parts.js';

/** Instead of an empty page when something in it fails: most often a part of an earlier build that the gateway does not have any more. */
export function Broken() {
  const { t } = useTranslation();
  const error = useRouteError();
  return (
    <main className="login">
      <div className="card">
        <div className="dialog-body">
          <h1>{t('broken.title')}</h1>
          <p className="muted">{t('broken.text')}</p>
          <ErrorNote error={error} />
          <div>
            <button type="button" className="button primary" onClick={() => window.location.reload()}>
              {t('broken.reload')}
            </button>
          </div>
        </div>
      </div>
    </main>
  );
}
