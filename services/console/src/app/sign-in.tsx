import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SignIn } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { Mark } from '../ui/icons.js';
import { Command, ErrorNote, Field, Notice } from '../ui/parts.js';
import { Preferences } from './preferences.js';

/** The token is asked for once per tab. */
export function SignInPage({ why, reason, signIn }: SignIn) {
  const { t } = useTranslation();
  const [token, setToken] = useState('');
  const action = useAction(signIn);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() !== '') void action.run(token.trim());
  };
  return (
    <main className="login">
      <div className="card">
        <form onSubmit={submit}>
          <div className="row spread">
            <span className="brand">
              <Mark />
              Plexus
            </span>
            <div className="row tight">
              <Preferences />
            </div>
          </div>
          <div>
            <h1>{t('signIn.title')}</h1>
            <p className="muted">{t('signIn.text')}</p>
          </div>
          {why === 'expired' && action.error === undefined && (
            <Notice tone="warn" live title={t('signIn.expired')}>
              {reason}
            </Notice>
          )}
          <ErrorNote error={action.error} />
          <Field label={t('signIn.token')} hint={t('signIn.kept')}>
            {(control) => (
              <input
                {...control}
                className="input mono"
                type="password"
                autoComplete="off"
                spellCheck={false}
                value={token}
                required
                onChange={({ target }) => setToken(target.value)}
              />
            )}
          </Field>
          <button type="submit" className="button primary" disabled={action.busy || token.trim() === ''}>
            {t('signIn.action')}
          </button>
          <div className="stack close small muted">
            <p>{t('signIn.where')}</p>
            <Command text="cat .plexus/credentials/token" />
          </div>
        </form>
      </div>
    </main>
  );
}
