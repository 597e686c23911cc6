/** A text with something replaced in it, or why that cannot be done. */
export type Replaced = { readonly ok: true; readonly text: string; readonly count: number } | { readonly ok: false; readonly reason: string };

/** Replaces `before` by `after`, both taken literally: once, where it must be the only place, or everywhere. */
export function replaceText(text: string, before: string, after: string, all: boolean): Replaced {
  const parts = text.split(before);
  const count = parts.length - 1;
  if (count === 0) return { ok: false, reason: 'old_text does not occur in the file. It has to be the same to the character, white space included.' };
  if (before === after) return { ok: false, reason: 'old_text and new_text are the same.' };
  if (count > 1 && !all) return { ok: false, reason: `old_text occurs ${count} times. Make it longer so that it is unique, or set replace_all.` };
  return { ok: true, text: parts.join(after), count };
}
