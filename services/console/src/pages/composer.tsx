import { type ClipboardEvent, type FormEvent, type KeyboardEvent, useId, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useObjectUrl } from '../api/object-url.js';
import type { Attached, Refusal } from '../model/attachments.js';
import { formatBytes } from '../model/format.js';
import { Icon } from '../ui/icons.js';
import { Notice } from '../ui/parts.js';
import type { WaitingFiles } from './waiting-files.js';

/** Where a message is written, with the files that go along. */
export function Composer({
  running,
  stopping,
  waiting,
  onSay,
  onStop,
}: {
  readonly running: boolean;
  readonly stopping: boolean;
  readonly waiting: WaitingFiles;
  readonly onSay: (text: string, files: readonly Attached[]) => void;
  readonly onStop: () => void;
}) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const id = useId();
  const said = text.trim();
  const ready = (said !== '' || waiting.files.length > 0) && !waiting.reading;
  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (!ready) return;
    onSay(said, waiting.files);
    setText('');
    waiting.clear();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter that only ends a word of an input method is not for us.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  };
  const onPaste = (event: ClipboardEvent) => {
    const { files, types } = event.clipboardData;
    // Text from an office program brings a picture of itself along; it is the text that is meant.
    if (files.length === 0 || (types.includes('text/plain') && types.includes('text/html'))) return;
    event.preventDefault();
    waiting.add([...files]);
  };
  return (
    <form className="composer" onSubmit={submit}>
      <Refusals refusals={waiting.refusals} onClose={waiting.forgive} />
      <Waiting waiting={waiting} />
      <div className="composer-row">
        <AttachButton id={`${id}-attach`} waiting={waiting} />
        <label className="visually-hidden" htmlFor={id}>
          {t('chat.write')}
        </label>
        <textarea
          id={id}
          className="input"
          rows={1}
          placeholder={t(running ? 'chat.placeholderRunning' : 'chat.placeholder')}
          value={text}
          onChange={({ target }) => setText(target.value)}
          onKeyDown={onKeyDown}
          onPaste={onPaste}
        />
        {running && (
          <button type="button" className="button danger" onClick={onStop} disabled={stopping}>
            <Icon name="stop" />
            {t('chat.stop')}
          </button>
        )}
        <button type="submit" className="button primary" disabled={!ready}>
          <Icon name="send" />
          {t('chat.send')}
        </button>
      </div>
    </form>
  );
}

function AttachButton({ id, waiting }: { readonly id: string; readonly waiting: WaitingFiles }) {
  const { t } = useTranslation();
  const chooser = useRef<HTMLInputElement>(null);
  const taken = waiting.limits !== undefined;
  return (
    <>
      <input
        ref={chooser}
        type="file"
        multiple
        hidden
        aria-labelledby={id}
        onChange={({ target }) => {
          waiting.add([...(target.files ?? [])]);
          // So that the same file can be chosen again.
          target.value = '';
        }}
      />
      <button
        id={id}
        type="button"
        className="button icon attach"
        aria-label={t('chat.attach')}
        title={taken ? t('chat.attach') : t('chat.noAttach')}
        disabled={!taken}
        onClick={() => chooser.current?.click()}
      >
        <Icon name="attach" />
      </button>
    </>
  );
}

function Refusals({ refusals, onClose }: { readonly refusals: readonly Refusal[]; readonly onClose: () => void }) {
  const { t } = useTranslation();
  if (refusals.length === 0) return null;
  const limitOf = ({ reason, limit = 0 }: Refusal) => (reason === 'tooMany' ? String(limit) : formatBytes(limit));
  return (
    <div className="refusals">
      <Notice tone="bad" live>
        {refusals.map((refusal) => (
          <span key={refusal.id}>{t(`chat.refused.${refusal.reason}`, { name: refusal.name, limit: limitOf(refusal) })}</span>
        ))}
      </Notice>
      <button type="button" className="button quiet small" onClick={onClose}>
        {t('chat.understood')}
      </button>
    </div>
  );
}

function Waiting({ waiting: { files, remove } }: { readonly waiting: WaitingFiles }) {
  const { t } = useTranslation();
  const list = useRef<HTMLUListElement>(null);
  const gone = (index: number) => {
    // The focus stays among the files, or goes to where the next one is chosen.
    const buttons = list.current?.querySelectorAll('button') ?? [];
    const next = buttons[index + 1] ?? buttons[index - 1] ?? list.current?.closest('form')?.querySelector<HTMLButtonElement>('.attach');
    next?.focus();
    const file = files[index];
    if (file !== undefined) remove(file.id);
  };
  return (
    <>
      <span className="visually-hidden" role="status">
        {files.length === 0 ? '' : t('chat.attachedCount', { count: files.length })}
      </span>
      {files.length > 0 && (
        <ul ref={list} className="chips" aria-label={t('chat.attached')}>
          {files.map((file, index) => (
            <li key={file.id} className="chip">
              <Preview file={file} />
              <span className="clip">{file.name}</span>
              <span className="muted small number">{formatBytes(file.blob.size)}</span>
              <button type="button" className="button quiet icon" aria-label={t('chat.detach', { name: file.name })} onClick={() => gone(index)}>
                <Icon name="cross" />
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** What a file looks like that is not sent yet; its name stands beside it. */
export function Preview({ file }: { readonly file: Attached }) {
  const url = useObjectUrl(file.picture ? file.blob : undefined);
  return <span className="preview">{url === undefined ? <Icon name="file" /> : <img src={url} alt="" />}</span>;
}
