import { type KeyboardEvent, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { Dialog } from '../ui/dialog.js';
import { Icon } from '../ui/icons.js';
import { ALL_PLACES } from './navigation.js';

/** Goes anywhere by typing a few letters. */
export function Palette({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [text, setText] = useState('');
  const [active, setActive] = useState(0);
  const id = useId();
  const wanted = text.trim().toLowerCase();
  const found = ALL_PLACES.filter(({ name, path }) => `${t(`nav.${name}`)} ${path}`.toLowerCase().includes(wanted));
  const at = Math.min(active, found.length - 1);
  const go = (path: string) => {
    onClose();
    void navigate(path);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setActive(Math.min(found.length - 1, at + 1));
    else if (event.key === 'ArrowUp') setActive(Math.max(0, at - 1));
    else if (event.key === 'Enter' && found[at] !== undefined) go(found[at].path);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title={t('palette.title')} className="palette" onClose={onClose}>
      <input
        className="palette-input"
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={at < 0 ? undefined : `${id}-${at}`}
        aria-label={t('palette.title')}
        placeholder={t('palette.placeholder')}
        value={text}
        autoFocus
        onChange={({ target }) => {
          setText(target.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div className="palette-list" id={`${id}-list`} role="listbox" aria-label={t('palette.title')}>
        {found.map(({ name, path, icon }, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the focus and takes the keys for the list
          <div key={path} id={`${id}-${index}`} role="option" tabIndex={-1} aria-selected={index === at} onClick={() => go(path)}>
            <Icon name={icon} />
            {t(`nav.${name}`)}
          </div>
        ))}
      </div>
      <p className="visually-hidden" role="status">
        {t('palette.found', { count: found.length })}
      </p>
    </Dialog>
  );
}
