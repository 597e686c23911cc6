import { type Loose, listOf, trimmed } from './normalise.js';

const NO_NAME = 'media';

/**
 * What the transcript shows of an outbound message: the file names of its media, else its text; undefined when there is neither, and
 * then nothing is mirrored.
 */
export function mirrorText(text: Loose, mediaUrls?: readonly Loose[] | null): string | undefined {
  const media = listOf(mediaUrls).map(trimmed).filter(Boolean);
  if (media.length === 0) return trimmed(text) || undefined;
  const names = media.map(fileName).filter(Boolean);
  return names.length === 0 ? NO_NAME : names.join(', ');
}

/** Last segment of a URL or path, without query and fragment. */
function fileName(url: string): string {
  const [path = ''] = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').split(/[?#]/);
  const name = path.split(/[/\\]/).at(-1)?.trim() ?? '';
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // a lone per cent sign: the name as it is written
  }
}
