import type { Progress } from './progress.js';

/** The part of a stream that the display needs. */
export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

interface Step {
  readonly id: string;
  readonly label: string;
  readonly begunAt: number;
  detail: string;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
const LABEL_WIDTH = 20;
const FRAME_MS = 100;
const REMIND_MS = 5_000;

/**
 * On a terminal: one live line per running step, which stays once it is done. Elsewhere: a plain line per finished step, and a reminder
 * every 5 s of what is still running. `close` leaves the cursor on a fresh line and ends the timer.
 */
export class TerminalProgress implements Progress {
  private readonly running = new Map<string, Step>();
  private readonly live: boolean;
  private drawn = 0;
  private frame = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly screen: Screen,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.live = screen.isTTY === true;
  }

  begin(id: string, label: string): void {
    this.running.set(id, { id, label, begunAt: this.now(), detail: '' });
    this.timer ??= setInterval(() => this.tick(), this.live ? FRAME_MS : REMIND_MS);
    this.timer.unref();
    this.draw();
  }

  update(id: string, detail: string): void {
    const step = this.running.get(id);
    if (step !== undefined) step.detail = detail;
    if (step === undefined) this.note(detail);
    else if (this.live) this.draw();
    else this.print(`… ${pad(step.label)} ${detail}`);
  }

  done(id: string, detail = ''): void {
    this.finish(id, this.paint(32, '✓'), detail);
  }

  failed(id: string, detail: string): void {
    this.finish(id, this.paint(31, '✗'), detail);
  }

  note(line: string): void {
    this.print(`${this.paint(33, '·')} ${line}`);
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.erase();
    this.running.clear();
  }

  private finish(id: string, sign: string, detail: string): void {
    const step = this.running.get(id);
    if (step === undefined) return;
    this.running.delete(id);
    const seconds = `${((this.now() - step.begunAt) / 1_000).toFixed(1)} s`;
    this.print(`${sign} ${pad(step.label)} ${seconds.padStart(7)}  ${detail}`.trimEnd());
    if (this.running.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private tick(): void {
    this.frame += 1;
    if (this.live) {
      this.draw();
      return;
    }
    const waiting = [...this.running.values()].map((step) => `${step.label} (${Math.round((this.now() - step.begunAt) / 1_000)} s)`);
    if (waiting.length > 0) this.print(`… still starting: ${waiting.join(', ')}`);
  }

  private print(line: string): void {
    this.erase();
    this.screen.write(`${line}\n`);
    this.draw();
  }

  private draw(): void {
    if (!this.live) return;
    this.erase();
    const width = Math.max(20, (this.screen.columns ?? 80) - 1);
    const lines = [...this.running.values()].map((step) => `${FRAMES[this.frame % FRAMES.length]} ${pad(step.label)} ${step.detail}`.trimEnd().slice(0, width));
    if (lines.length > 0) this.screen.write(`${lines.join('\n')}\n`);
    this.drawn = lines.length;
  }

  private erase(): void {
    if (this.live && this.drawn > 0) this.screen.write(`\u001b[${this.drawn}A\u001b[0J`);
    this.drawn = 0;
  }

  private paint(colour: number, text: string): string {
    return this.live ? `\u001b[${colour}m${text}\u001b[0m` : text;
  }
}

function pad(label: string): string {
  return label.padEnd(LABEL_WIDTH);
}
