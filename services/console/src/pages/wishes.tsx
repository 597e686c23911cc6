import type { pushManageContracts as manage } from '@plexus/contracts';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { matchOf, type PreferenceMatch, WISH_ABOUT, WISH_CHANNELS, type WishAbout } from '../model/reach.js';
import { ActionForm, SelectField, TextField } from '../ui/form.js';
import { Badge, Busy, Card, Empty, ErrorNote } from '../ui/parts.js';
import { RemoveButton } from '../ui/remove.js';
import { useToast } from '../ui/toasts.js';

type Preference = manage.Preferences['preferences'][number];
interface Said {
  readonly own: manage.Preferences;
  readonly tenant: manage.Preferences;
}

/** What somebody wants to hear of, and on which channel. */
export function Wishes() {
  const { t } = useTranslation();
  const api = useApi();
  const said = useResource(useCallback((signal: AbortSignal) => api.get<Said>('/v1/preferences', undefined, signal), [api]));
  const { data, reload } = said;
  const none = data !== undefined && data.own.preferences.length === 0 && data.tenant.preferences.length === 0;
  return (
    <Card title={t('reach.wish.title')} flush>
      <ErrorNote error={said.error} retry={reload} />
      {said.loading && <Busy />}
      {none && <Empty icon="bell" title={t('reach.wish.none')} text={t('reach.wish.text')} />}
      {data !== undefined && !none && <p className="card-body small muted">{t('reach.wish.text')}</p>}
      <ul>
        {data?.own.preferences.map((one) => (
          <Sentence key={one.id} preference={one} onChanged={reload} />
        ))}
        {data?.tenant.preferences.map((one) => (
          <Sentence key={`tenant ${one.id}`} preference={one} />
        ))}
      </ul>
      <div className="card-body">
        <Add onDone={reload} />
      </div>
    </Card>
  );
}

/** One sentence of it. Without `onChanged` it holds for everybody, and is not ours to change. */
function Sentence({ preference: { id, match, channel, value }, onChanged }: { readonly preference: Preference; readonly onChanged?: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const what = useMatchText(match);
  const where = t(`reach.wish.channel.${channel === '*' ? 'any' : channel}`, { defaultValue: channel });
  const name = t('reach.wish.on', { what, where });
  const turn = useAction(async (on: boolean) => {
    await api.patch('/v1/preferences', { put: [{ id, match, channel, value: on ? 'on' : 'off' }] });
    onChanged?.();
  });
  const remove = async () => {
    await api.patch('/v1/preferences', { remove: [id] });
    onChanged?.();
  };
  return (
    <li className="entry">
      <div className="row spread">
        <span>
          <strong>{what}</strong> <Badge>{where}</Badge>
        </span>
        <span className="row">
          {onChanged === undefined ? (
            <>
              <Badge>{t('reach.wish.everybody')}</Badge>
              <Badge tone={value === 'on' ? 'ok' : 'warn'}>{t(`reach.wish.value.${value}`)}</Badge>
            </>
          ) : (
            <>
              <label className="check">
                <input
                  type="checkbox"
                  aria-label={t('of', { what: t('reach.wish.wanted'), name })}
                  checked={value === 'on'}
                  disabled={turn.busy}
                  onChange={({ target }) => void turn.run(target.checked)}
                />
                {t('reach.wish.wanted')}
              </label>
              <RemoveButton name={name} text={t('reach.wish.removeText')} onRemove={remove} />
            </>
          )}
        </span>
      </div>
      <ErrorNote error={turn.error} />
    </li>
  );
}

function useMatchText({ types, scopeKind, scopeRef }: PreferenceMatch): string {
  const { t } = useTranslation();
  const parts = [
    ...(scopeKind === undefined
      ? []
      : [scopeRef === undefined ? t(`reach.wish.about.${scopeKind}`) : t('reach.wish.scope', { kind: t(`reach.wish.about.${scopeKind}`), ref: scopeRef })]),
    ...(types === undefined ? [] : [types.join(', ')]),
  ];
  return parts.length === 0 ? t('reach.wish.about.all') : parts.join(' · ');
}

function Add({ onDone }: { readonly onDone: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [about, setAbout] = useState<WishAbout>('types');
  const [which, setWhich] = useState('');
  const [channel, setChannel] = useState<(typeof WISH_CHANNELS)[number]>('*');
  const [value, setValue] = useState<Preference['value']>('off');
  const add = useAction(async () => {
    await api.patch('/v1/preferences', { put: [{ match: matchOf(about, which), channel, value }] });
    say(t('reach.wish.said'));
    setWhich('');
    onDone();
  });
  return (
    <ActionForm action={add} label={t('reach.wish.add')}>
      <div className="fields">
        <SelectField
          label={t('reach.wish.what')}
          value={about}
          options={WISH_ABOUT.map((one) => ({ value: one, label: t(`reach.wish.about.${one}`) }))}
          onChange={setAbout}
        />
        {about !== 'all' && (
          <TextField
            label={t('reach.wish.which')}
            mono
            value={which}
            placeholder={about === 'types' ? 'com.acme.import.*' : about === 'case' ? 'case-7' : ''}
            onChange={setWhich}
          />
        )}
        <SelectField
          label={t('reach.wish.where')}
          value={channel}
          options={WISH_CHANNELS.map((one) => ({ value: one, label: t(`reach.wish.channel.${one === '*' ? 'any' : one}`) }))}
          onChange={setChannel}
        />
        <SelectField
          label={t('reach.wish.wanted')}
          value={value}
          options={(['off', 'on'] as const).map((one) => ({ value: one, label: t(`reach.wish.value.${one}`) }))}
          onChange={setValue}
        />
      </div>
    </ActionForm>
  );
}
