import type { pushManageContracts as manage, ResponseOf } from '@plexus/contracts';
import { type FormEvent, useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { ownEndpoint, subscribeBrowser, unsubscribeBrowser, webPushState } from '../api/web-push.js';
import { browserName } from '../model/reach.js';
import { ActionForm, SelectField, TextField } from '../ui/form.js';
import { Badge, Busy, Card, Empty, ErrorNote } from '../ui/parts.js';
import { RemoveButton } from '../ui/remove.js';
import { useToast } from '../ui/toasts.js';

type Contact = manage.Contact;
type Known = ResponseOf<typeof manage.listContacts>;
const CHANNELS = ['email', 'webhook'] as const;

/** Where else somebody is told: addresses that were proven by a code. */
export function Contacts() {
  const { t } = useTranslation();
  const api = useApi();
  const list = useResource(useCallback((signal: AbortSignal) => api.get<Known>('/v1/contacts', undefined, signal), [api]));
  const own = useResource(ownEndpoint);
  const contacts = list.data?.contacts ?? [];
  const changed = () => {
    own.reload();
    list.reload();
  };
  return (
    <Card title={t('reach.contact.title')} flush>
      <ErrorNote error={list.error} retry={list.reload} />
      {list.loading && <Busy />}
      {list.data !== undefined && contacts.length === 0 && <Empty icon="send" title={t('reach.contact.none')} text={t('reach.contact.noneText')} />}
      <ul>
        {contacts.map((one) => (
          <Row key={one.id} contact={one} own={one.channel === 'webpush' && one.address === own.data} onChanged={changed} />
        ))}
      </ul>
      <div className="card-body">
        <Add onDone={list.reload} />
        {list.data?.webPushKey !== undefined && (
          <ThisBrowser
            webPushKey={list.data.webPushKey}
            told={contacts.some(({ channel, address }) => channel === 'webpush' && address === own.data)}
            onDone={changed}
          />
        )}
      </div>
    </Card>
  );
}

/** The browser that shows this page, as an address of its own. */
function ThisBrowser({ webPushKey, told, onDone }: { readonly webPushKey: string; readonly told: boolean; readonly onDone: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const add = useAction(async () => {
    const subscription = await subscribeBrowser(webPushKey);
    if (subscription === 'refused') throw new Error(t('reach.contact.browserRefused'));
    await api.post('/v1/contacts', {
      channel: 'webpush',
      subscription: { endpoint: subscription.endpoint, keys: subscription.keys },
      label: browserName(navigator.userAgent),
    });
    say(t('reach.contact.browserAdded'));
    onDone();
  });
  if (webPushState() === 'impossible') return <p className="small muted">{t('reach.contact.browserCannot')}</p>;
  if (told) return <p className="small muted">{t('reach.contact.browserHere')}</p>;
  return (
    <div className="stack close">
      <div className="row">
        <button type="button" className="button" disabled={add.busy} onClick={() => void add.run()}>
          {t('reach.contact.browser')}
        </button>
        <span className="small muted">{t('reach.contact.browserText')}</span>
      </div>
      <ErrorNote error={add.error} />
    </div>
  );
}

function Row({
  contact: { id, channel, address, label, verified, disabledReason },
  own,
  onChanged,
}: {
  readonly contact: Contact;
  /** It is the browser that shows this page. */
  readonly own: boolean;
  readonly onChanged: () => void;
}) {
  const { t } = useTranslation();
  const api = useApi();
  const path = `/v1/contacts/${encodeURIComponent(id)}`;
  const remove = async () => {
    await api.delete(path);
    if (own) await unsubscribeBrowser();
    onChanged();
  };
  const name = channel === 'webpush' && label !== undefined ? label : address;
  return (
    <li className="entry">
      <div className="row spread">
        <span className="clip" title={address}>
          <Badge>{t(`reach.contact.channel.${channel}`)}</Badge> <span className="mono">{name}</span>
        </span>
        <span className="row">
          <Badge dot tone={disabledReason !== undefined ? 'bad' : verified ? 'ok' : 'warn'}>
            {t(disabledReason !== undefined ? 'reach.contact.disabled' : verified ? 'reach.contact.verified' : 'reach.contact.unverified')}
          </Badge>
          <RemoveButton name={name} text={t('reach.contact.removeText')} onRemove={remove} />
        </span>
      </div>
      {disabledReason !== undefined && <p className="small muted">{disabledReason}</p>}
      {!verified && disabledReason === undefined && <Proof path={path} address={address} onChanged={onChanged} />}
    </li>
  );
}

/** The code that was sent to an address, typed in. */
function Proof({ path, address, onChanged }: { readonly path: string; readonly address: string; readonly onChanged: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [code, setCode] = useState('');
  const verify = useAction(async () => {
    await api.post(`${path}/verify`, { code: code.trim() });
    onChanged();
  });
  const again = useAction(async () => {
    await api.post(`${path}/code`);
    say(t('reach.contact.sent'));
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void verify.run();
  };
  return (
    <form className="row" onSubmit={submit}>
      <input
        className="input mono code"
        required
        inputMode="numeric"
        autoComplete="one-time-code"
        aria-label={t('reach.contact.codeFor', { address })}
        placeholder={t('reach.contact.code')}
        value={code}
        onChange={({ target }) => setCode(target.value)}
      />
      <button type="submit" className="button small primary" disabled={verify.busy}>
        {t('reach.contact.verify')}
      </button>
      <button type="button" className="button small" disabled={again.busy} onClick={() => void again.run()}>
        {t('reach.contact.again')}
      </button>
      <ErrorNote error={verify.error ?? again.error} />
    </form>
  );
}

function Add({ onDone }: { readonly onDone: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const say = useToast();
  const [channel, setChannel] = useState<(typeof CHANNELS)[number]>('email');
  const [address, setAddress] = useState('');
  const add = useAction(async () => {
    const { codeSent } = await api.post<ResponseOf<typeof manage.addContact>>('/v1/contacts', { channel, address: address.trim() });
    if (codeSent) say(t('reach.contact.sent'));
    setAddress('');
    onDone();
  });
  return (
    <ActionForm action={add} label={t('reach.contact.add')}>
      <div className="fields">
        <SelectField
          label={t('reach.contact.kind')}
          value={channel}
          options={CHANNELS.map((value) => ({ value, label: t(`reach.contact.channel.${value}`) }))}
          onChange={setChannel}
        />
        <TextField
          label={t('reach.contact.address')}
          type={channel === 'email' ? 'email' : 'url'}
          placeholder={channel === 'email' ? 'me@example.org' : 'https://example.org/hook'}
          value={address}
          onChange={setAddress}
        />
      </div>
    </ActionForm>
  );
}
