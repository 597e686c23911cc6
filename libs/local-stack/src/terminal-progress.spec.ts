import { TerminalProgress } from './terminal-progress.js';

function screen(isTTY: boolean): { text: string; isTTY: boolean; columns: number; write(piece: string): void } {
  return {
    text: '',
    isTTY,
    columns: 60,
    write(piece) {
      this.text += piece;
    },
  };
}

/** What a terminal shows after these writes: understands only "up n lines, clear below", which is all the display uses. */
function shown(text: string): string[] {
  const lines: string[] = [''];
  for (const part of text.split(/(\u001b\[\d+A\u001b\[0J|\u001b\[\d+m|\n)/)) {
    const up = /^\u001b\[(\d+)A/.exec(part);
    if (up !== null) lines.splice(Math.max(0, lines.length - 1 - Number(up[1])), lines.length, '');
    else if (part === '\n') lines.push('');
    else if (!part.startsWith('\u001b')) lines[lines.length - 1] += part;
  }
  return lines.filter((line) => line !== '');
}

describe('the progress display', () => {
  it('on a terminal keeps one line per step, whatever order they end in', () => {
    const tty = screen(true);
    const progress = new TerminalProgress(tty, () => 0);
    progress.begin('a', 'first');
    progress.begin('b', 'second');
    progress.note('something happened');
    progress.done('b', 'port 2');
    progress.failed('a', 'broken');
    progress.close();
    expect(shown(tty.text)).toEqual(['· something happened', expect.stringMatching(/^✓ second .* port 2$/), expect.stringMatching(/^✗ first .* broken$/)]);
  });

  it('elsewhere writes plain lines without a control character', () => {
    const plain = screen(false);
    const progress = new TerminalProgress(plain, () => 0);
    progress.begin('a', 'first');
    progress.update('a', 'downloading');
    progress.done('a', 'ready');
    progress.close();
    expect(plain.text).not.toContain('\u001b');
    expect(plain.text.trim().split('\n')).toHaveLength(2);
  });
});
