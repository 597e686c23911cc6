import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/use-action.js';
import { Confirm } from './dialog.js';

interface Removal {
  readonly name: string;
  readonly text: string;
  /** Rejects when it did not work: the dialog says why and stays. */
  readonly onRemove: () => Promise<void>;
  /** Where it is called something else than removing: on the button, and with the name of what goes. */
  readonly words?: { readonly action: string; readonly title: string };
}

/** A button that takes something away after asking. */
export function RemoveButton({ name, text, onRemove, words }: Removal) {
  const { t } = useTranslation();
  const { action, title } = words ?? { action: t('form.remove'), title: t('removeOne', { name }) };
  const [asking, setAsking] = useState(false);
  const remove = useAction(async () => {
    await onRemove();
    setAsking(false);
  });
  return (
    <>
      <button type="button" className="button small" onClick={() => setAsking(true)} aria-label={title}>
        {action}
      </button>
      {asking && (
        <Confirm
          title={title}
          text={text}
          action={action}
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
