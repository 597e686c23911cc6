import { toStorableText } from '@plexus/kernel';

/** Longest text in one event; longer ones become several. */
const MAX_PIECE_CHARS = 16_384;

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;

/**
 * Cuts a stream of text into pieces that can be sent: bounded, never in the middle of a character that takes two units, and without
 * anything that a database cannot hold.
 */
export class TextPieces {
  private carried = '';

  /** The pieces that are ready; half a character at the end waits for the rest. */
  push(text: string): string[] {
    let rest = this.carried + text;
    this.carried = '';
    if (rest.length > 0 && isHighSurrogate(rest.charCodeAt(rest.length - 1))) {
      this.carried = rest.slice(-1);
      rest = rest.slice(0, -1);
    }
    const pieces: string[] = [];
    for (let at = 0; at < rest.length; ) {
      let end = Math.min(at + MAX_PIECE_CHARS, rest.length);
      if (end < rest.length && isHighSurrogate(rest.charCodeAt(end - 1))) end--;
      pieces.push(toStorableText(rest.slice(at, end)));
      at = end;
    }
    return pieces;
  }

  /** What is left at the end of the stream. */
  flush(): string[] {
    const rest = this.carried;
    this.carried = '';
    return rest === '' ? [] : [toStorableText(rest)];
  }

  reset(): void {
    this.carried = '';
  }
}
