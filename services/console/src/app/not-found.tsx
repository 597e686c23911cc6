import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { Empty, PageHead } from '../ui/parts.js';

export function NotFound() {
  const { t } = useTranslation();
  return (
    <>
      <PageHead title={t('notFound.title')} />
      <Empty icon="route" title={t('notFound.text')}>
        <Link className="button" to="/">
          {t('nav.mesh')}
        </Link>
      </Empty>
    </>
  );
}
