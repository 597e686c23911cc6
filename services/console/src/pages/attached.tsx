import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useObjectUrl } from '../api/object-url.js';
import { useApi } from '../api/session.js';
import { useAction } from '../api/use-action.js';
import { useResource } from '../api/use-resource.js';
import { type AttachmentInfo, isPicture } from '../model/attachments.js';
import type { Line } from '../model/conversation.js';
import { formatBytes } from '../model/format.js';
import { Icon } from '../ui/icons.js';
import { ErrorNote } from '../ui/parts.js';
import { Preview } from './composer.js';

/** The files of a message: pictures are shown, everything else can be saved and is never opened here. `path`: of the session. */
export function AttachedFiles({ line: { attachments, files }, path }: { readonly line: Line; readonly path: string }) {
  const { t } = useTranslation();
  if (attachments.length === 0 && files.length === 0) return null;
  return (
    <ul className="attached" aria-label={t('chat.attached')}>
      {files.map((file) => (
        <li key={file.id} className="chip">
          <Preview file={file} />
          <span className="clip">{file.name}</span>
          <span className="muted small number">{formatBytes(file.blob.size)}</span>
        </li>
      ))}
      {attachments.map((info) => (
        <StoredFile key={info.attachmentId} info={info} url={`${path}/attachments/${encodeURIComponent(info.attachmentId)}`} />
      ))}
    </ul>
  );
}

function StoredFile({ info, url }: { readonly info: AttachmentInfo; readonly url: string }) {
  const { t } = useTranslation();
  const api = useApi();
  const [saved, setSaved] = useState<Blob>();
  const address = useObjectUrl(saved);
  // A type that no browser opens: whatever is in the file, it is saved.
  const save = useAction(async () => setSaved(await api.blob(url, 'application/octet-stream')));
  useEffect(() => {
    if (address !== undefined) Object.assign(document.createElement('a'), { href: address, download: info.name }).click();
  }, [address, info.name]);
  return (
    <li className="stored">
      {isPicture(info.mimeType) && <Picture info={info} url={url} />}
      <span className="chip">
        <button
          type="button"
          className="button quiet small"
          aria-label={t('chat.download', { name: info.name })}
          disabled={save.busy}
          onClick={() => void save.run()}
        >
          <Icon name="download" />
          <span className="clip">{info.name}</span>
        </button>
        <span className="muted small number">{formatBytes(info.bytes)}</span>
      </span>
      <ErrorNote error={save.error} />
    </li>
  );
}

/** Fetched when it comes into sight, with the token, which an address in an `img` could not carry. */
function Picture({ info: { name, mimeType }, url }: { readonly info: AttachmentInfo; readonly url: string }) {
  const { t } = useTranslation();
  const api = useApi();
  const place = useRef<HTMLSpanElement>(null);
  const seen = useSeen(place);
  const fetchIt = useCallback((signal: AbortSignal) => api.blob(url, mimeType, signal), [api, url, mimeType]);
  const picture = useResource(seen ? fetchIt : undefined);
  const address = useObjectUrl(picture.data);
  const [broken, setBroken] = useState(false);
  return (
    <>
      <span ref={place} className="frame">
        {broken ? (
          <span className="muted small">{t('chat.noPicture')}</span>
        ) : address === undefined ? (
          <Icon name="file" />
        ) : (
          <img src={address} alt={name} onError={() => setBroken(true)} />
        )}
      </span>
      <ErrorNote error={picture.error} retry={picture.reload} />
    </>
  );
}

/** True once the element has been in sight. */
function useSeen(place: RefObject<Element | null>): boolean {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const element = place.current;
    if (seen || element === null) return undefined;
    const watch = new IntersectionObserver((entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) setSeen(true);
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, [place, seen]);
  return seen;
}
