import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/use-action.js';
import { Confirm } from './dialog.js';

/** A button that takes something away after asking. `onRemove` rejects when it did not work: the dialog says why and stays. */
export function RemoveButton({ name, text, onRemove }: { readonly name: string; readonly text: string; readonly onRemove: () => Promise<void> }) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState(false);
  const remove = useAction(async () => {
    await onRemove();
    setAsking(false);
  });
  return (
    <>
      <button type="button" className="button small" onClick={() => setAsking(true)} aria-label={t('removeOne', { name })}>
        {t('form.remove')}
      </button>
      {asking && (
        <Confirm
          title={t('removeOne', { name })}
          text={text}
          action={t('form.remove')}
          danger
          busy={remove.busy}
          error={remove.error}
          onConfirm={() => void remove.run()}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
