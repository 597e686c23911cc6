import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfigFile } from '@plexus/agent-config';
import { type FSWatcher, watch } from 'chokidar';
import type { ConfigTarget } from './config-target.js';

const SETTLE_MS = 200;
/** Editors that replace a file leave a moment without one. */
const MISSING_RETRY_MS = 150;
const MISSING_RETRIES = 2;
/** The mesh was not reachable: tried again. */
const UNREACHABLE_RETRY_MS = 1_000;
const RACES = 3;

export interface ConfigFileOptions {
  readonly file: string;
  readonly target: ConfigTarget;
  /** For people: what was applied, what was skipped, and why. */
  readonly note: (line: string) => void;
  /** SHA-256 of the text that was last brought to the mesh by an earlier process, and where to keep it. */
  readonly memory: { read(): string | undefined; write(digest: string): void };
  /** What only this machine can tell of a document: folders, and where links lead. Sentences; none: it is fine. */
  readonly check?: (document: unknown) => readonly string[];
  /** Quiet time behind the last event, in milliseconds. Default 200: editors write in several steps. */
  readonly settleMs?: number;
}

/** What became of one look at the file. */
export type FileOutcome = 'applied' | 'unchanged' | 'missing' | 'invalid' | 'outdated';

/**
 * Follows a configuration file and everything that it includes. Every event only schedules a look; a look reads the whole, and brings it to
 * the mesh when its text differs from the last. An invalid file is skipped with the reason, what is in force stays. What the mesh changes
 * by itself is written back into a file that includes nothing; that write is recognised by its hash and not brought to the mesh again.
 * Where it could not be written back, the file is outdated: the next save is refused with a word about it, the one after that replaces it.
 */
export class ConfigFile {
  private readonly file: string;
  private readonly settleMs: number;
  /** One for each folder with a file that takes part: entries of other folders are nobody's business. */
  private readonly watchers = new Map<string, FSWatcher>();
  private watched = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private pending = false;
  private lastDigest: string | undefined;
  private lastRejected: string | undefined;
  /** The mesh's text that somebody was told about, and the save that was refused for it. */
  private outdated: { readonly digest: string; readonly save: string } | undefined;
  private includesOthers = false;
  private readonly stopping = new AbortController();

  /** Looks that read a text other than the last; for tests and for people. */
  readonly counts: Record<FileOutcome, number> = { applied: 0, unchanged: 0, missing: 0, invalid: 0, outdated: 0 };

  constructor(private readonly options: ConfigFileOptions) {
    this.file = path.resolve(options.file);
    this.settleMs = options.settleMs ?? SETTLE_MS;
    this.lastDigest = options.memory.read();
    this.watched.add(this.file);
  }

  /** Settles when the folder is watched and the file, if there is one, was looked at. */
  async start(): Promise<void> {
    await this.watchFolder(path.dirname(this.file));
    if (existsSync(this.file)) await this.look();
  }

  /** The mesh has another configuration now: writes it into the file, unless it came from there. */
  async writeBack(): Promise<void> {
    await this.running;
    if (this.stopping.signal.aborted || !existsSync(this.file)) return;
    const { text, exists } = await this.options.target.current();
    const written = readFileSync(this.file, 'utf8');
    // A file that waits for its turn, or is broken just now, is somebody's work.
    if (!exists || digestOf(written) !== this.lastDigest || text === written) return;
    if (this.includesOthers) {
      if (digestOf(text) !== this.lastDigest)
        this.options.note(`the configuration was changed in the mesh; ${this.file} includes other files and is left as it is`);
      return;
    }
    this.remember(text);
    const temporary = `${this.file}.${process.pid}.tmp`;
    writeFileSync(temporary, text, { mode: statSync(this.file).mode & 0o777 });
    renameSync(temporary, this.file);
    this.options.note(`the configuration was changed in the mesh; written to ${this.file}`);
  }

  /** True while a look is under way and another one follows it. */
  get isPending(): boolean {
    return this.pending;
  }

  /** Settles when no look is due or under way. */
  async idle(): Promise<void> {
    while (this.timer !== undefined || this.running !== undefined) {
      if (this.running === undefined) await sleep(10);
      else await this.running;
    }
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    this.timer = undefined;
    await Promise.all([...this.watchers.values()].map((watcher) => watcher.close()));
    await this.running;
  }

  private schedule(delayMs: number): void {
    if (this.stopping.signal.aborted) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.look();
    }, delayMs);
  }

  /** Single flight: an event during a look makes another one afterwards. */
  private look(): Promise<void> {
    if (this.running !== undefined) {
      this.pending = true;
      return this.running;
    }
    this.running = this.lookNow()
      .catch((error: unknown) => {
        this.options.note(`${this.file} could not be brought to the mesh: ${(error as Error).message}; tried again`);
        this.schedule(UNREACHABLE_RETRY_MS);
      })
      .finally(() => {
        this.running = undefined;
        if (!this.pending) return;
        this.pending = false;
        this.schedule(this.settleMs);
      });
    return this.running;
  }

  private async lookNow(): Promise<void> {
    for (let attempt = 0; !existsSync(this.file); attempt += 1) {
      if (attempt === MISSING_RETRIES) {
        this.counts.missing += 1;
        this.options.note(`${this.file} is gone; the configuration stays as it is`);
        return;
      }
      await sleep(MISSING_RETRY_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined); // aborted: the next check ends it
      if (this.stopping.signal.aborted) return;
    }
    const loaded = await this.loadAndFollow();
    if (!loaded.ok) return this.skip(loaded.error.map(issueLine).join('; '));
    const { document, files } = loaded.value;
    this.includesOthers = files.length > 1;
    const text = this.includesOthers ? JSON.stringify(document) : readFileSync(this.file, 'utf8');
    if (digestOf(text) === this.lastDigest) {
      this.counts.unchanged += 1;
      this.lastRejected = undefined;
      return;
    }
    const problems = this.options.check?.(document) ?? [];
    if (problems.length > 0) return this.skip(problems.join('; '));
    await this.bring(text, saveOf(files));
  }

  private async bring(text: string, save: string): Promise<void> {
    for (let race = 0; race < RACES; race += 1) {
      const current = await this.options.target.current();
      if (current.exists && this.isOutdated(digestOf(current.text), digestOf(text), save)) return;
      const { etag } = current;
      const result = await this.options.target.apply(text, etag);
      if (result.outcome === 'conflict') continue;
      if (result.outcome === 'rejected') return this.skip(result.reason);
      this.remember(text);
      this.lastRejected = undefined;
      this.counts[result.outcome === 'written' ? 'applied' : 'unchanged'] += 1;
      if (result.outcome === 'written') this.options.note(`${this.file} is in force`);
      return;
    }
    throw new Error('others write the configuration all the time');
  }

  /** True when the mesh was changed since the file was last brought there, and whoever saves the file was not told yet. */
  private isOutdated(inForce: string, wanted: string, save: string): boolean {
    if (this.lastDigest === undefined || inForce === this.lastDigest || inForce === wanted) return false;
    if (this.outdated?.digest === inForce) return this.outdated.save === save;
    this.outdated = { digest: inForce, save };
    this.counts.outdated += 1;
    this.options.note(
      `${this.file} was not brought to the mesh: the configuration was changed there meanwhile and the file knows nothing of it. ` +
        'Take the changes over (`plexus config diff` with the file shows them) and save it again; that replaces what is in force.',
    );
    return true;
  }

  private skip(reason: string): void {
    this.counts.invalid += 1;
    if (reason !== this.lastRejected) this.options.note(`${this.file} is not valid and was skipped; the configuration stays as it is: ${reason}`);
    this.lastRejected = reason;
  }

  private remember(text: string): void {
    this.lastDigest = digestOf(text);
    this.options.memory.write(this.lastDigest);
  }

  /** Reads the file with its includes. Those that are missing or broken are watched as well: mending one of them must be noticed. */
  private async loadAndFollow(): Promise<ReturnType<typeof loadConfigFile>> {
    for (;;) {
      const lookedFor = [this.file];
      const loaded = loadConfigFile(this.file, { onFile: (name) => lookedFor.push(name) });
      // What happened in a folder before it was watched shows in no event: read again.
      if (!(await this.follow(lookedFor))) return loaded;
    }
  }

  /** True when folders are watched that were not before. */
  private async follow(files: readonly string[]): Promise<boolean> {
    const before = this.watchers.size;
    const existing = files.map(nearestExisting);
    this.watched = new Set([...files, ...existing]);
    for (const folder of new Set(existing.map((name) => path.dirname(name)))) await this.watchFolder(folder);
    return this.watchers.size > before;
  }

  private async watchFolder(folder: string): Promise<void> {
    if (this.watchers.has(folder) || this.stopping.signal.aborted) return;
    const watcher = watch(folder, { depth: 0, ignoreInitial: true });
    this.watchers.set(folder, watcher);
    watcher.on('all', (_event, changed) => {
      if (this.watched.has(path.resolve(changed))) this.schedule(this.settleMs);
    });
    watcher.on('error', (error) => this.options.note(`${folder} cannot be watched: ${(error as Error).message}`));
    await new Promise<void>((resolve) => watcher.once('ready', resolve));
  }
}

/** The file itself where its folder exists; else the first folder on the way to it that is missing. */
function nearestExisting(file: string): string {
  let name = file;
  while (!existsSync(path.dirname(name))) name = path.dirname(name);
  return name;
}

/** One issue as one sentence for people. */
export function issueLine({ path: at, message, fix }: { readonly path: string; readonly message: string; readonly fix?: string }): string {
  return `${at || 'document'}: ${message}${fix === undefined ? '' : ` (${fix})`}`;
}

/** Tells one save of the files from another, also when their text is the same. */
function saveOf(files: readonly string[]): string {
  return files.map((file) => statSync(file).mtimeMs).join(' ');
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
