import { type ReactNode, Suspense, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, NavLink, Outlet, useLocation, useNavigate } from 'react-router';
import { useSession } from '../api/session.js';
import { onNotificationClick } from '../api/web-push.js';
import { Icon, Mark } from '../ui/icons.js';
import { Badge, Busy, Notice } from '../ui/parts.js';
import { useInbox } from './inbox-state.js';
import { PLACES } from './navigation.js';
import { Palette } from './palette.js';
import { Preferences } from './preferences.js';

/** Menu, page, and what is said of the connection. */
export function Shell() {
  const { t } = useTranslation();
  const { state, signOut } = useSession();
  const { unread } = useInbox();
  const [searching, setSearching] = useState(false);
  const [open, setOpen] = useState(false);
  const { pathname } = useLocation();
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        setSearching(true);
      }
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
  useEffect(() => setOpen(false), [pathname]);
  const navigate = useNavigate();
  useEffect(() => onNotificationClick((place) => void navigate(place)), [navigate]);

  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t('skip')}
      </a>
      <header className="side" data-open={open ? '' : undefined}>
        <div className="side-top">
          <Link to="/" className="brand">
            <Mark />
            Plexus
          </Link>
          <button type="button" className="button icon menu-button" aria-expanded={open} aria-label={t('menu')} onClick={() => setOpen(!open)}>
            <Icon name="menu" />
          </button>
        </div>
        <div className="side-body">
          <button type="button" className="button go-to" onClick={() => setSearching(true)}>
            <Icon name="search" />
            {t('palette.open')}
            <kbd>Ctrl K</kbd>
          </button>
          <nav aria-label={t('menu')} className="stack">
            {PLACES.map(({ name, places }) => (
              <div key={name} className="nav-group">
                <h2 id={`nav-${name}`}>{t(`groups.${name}`)}</h2>
                <ul aria-labelledby={`nav-${name}`}>
                  {places.map((place) => (
                    <li key={place.path}>
                      <NavLink to={place.path} end={place.path === '/'}>
                        <Icon name={place.icon} />
                        {t(`nav.${place.name}`)}
                        {place.name === 'inbox' && unread > 0 && (
                          <span className="nav-count">
                            {unread > 99 ? '99+' : unread}
                            <span className="visually-hidden"> {t('inbox.unread')}</span>
                          </span>
                        )}
                      </NavLink>
                    </li>
                  ))}
                </ul>
              </div>
            ))}
          </nav>
          <div className="side-foot">
            <div role="status">
              <Badge dot tone={state === 'connected' ? 'ok' : state === 'refused' || state === 'degraded' ? 'bad' : 'warn'}>
                {t(`connection.${state}`)}
              </Badge>
            </div>
            <div className="side-tools">
              <Preferences />
              <button type="button" className="button quiet icon" aria-label={t('signOut')} title={t('signOut')} onClick={signOut}>
                <Icon name="leave" />
              </button>
            </div>
          </div>
        </div>
      </header>
      <main id="main" className="main" tabIndex={-1}>
        {(state === 'degraded' || state === 'refused') && (
          <Notice tone="warn" live title={t(`connection.${state}`)}>
            {t('connection.advice')}
          </Notice>
        )}
        <PageFocus>
          <Suspense fallback={<Busy />}>
            <Outlet />
          </Suspense>
        </PageFocus>
      </main>
      {searching && <Palette onClose={() => setSearching(false)} />}
    </div>
  );
}

/** After a change of page the focus is on its title: the screen reader says where one is, and Tab goes on from there. */
function PageFocus({ children }: { readonly children: ReactNode }) {
  const { pathname } = useLocation();
  const page = pathname.split('/')[1];
  const first = useRef(true);
  useEffect(() => {
    window.scrollTo(0, 0);
    if (!first.current) document.getElementById('page-title')?.focus();
    first.current = false;
  }, [page]);
  return children;
}
