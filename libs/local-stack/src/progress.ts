/** Where the launcher tells what it is doing. A step begins once and is then done or failed; notes may come at any time, also later. */
export interface Progress {
  begin(step: string, label: string): void;
  /** Replaces what is said about a running step. */
  update(step: string, detail: string): void;
  done(step: string, detail?: string): void;
  failed(step: string, detail: string): void;
  note(line: string): void;
}

/** Says nothing (tests). */
export const silentProgress: Progress = { begin: () => {}, update: () => {}, done: () => {}, failed: () => {}, note: () => {} };
