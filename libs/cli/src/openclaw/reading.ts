import { isSecretName, looksSecret } from '@plexus/agent-config';

export type Path = readonly string[];

/** Something of the source that is not in the result, and why. Never quotes values: they may be secrets. */
export interface NotTaken {
  readonly path: string;
  readonly reason: string;
  /** True when a secret stands there (it is not copied anywhere). */
  readonly secret?: boolean;
}

/** A variable that has to be set where the services run, because the configuration only refers to it. */
export interface NeededVariable {
  readonly name: string;
  /** Where the secret, or the reference to it, stands in the source. */
  readonly from: string;
}

/**
 * A document that is read with a pencil in hand: whatever a mapping takes or leaves is marked, and what nobody touched is reported at the end. So
 * nothing is dropped silently, also of settings that did not exist when this was written.
 */
export class Reading {
  readonly notTaken: NotTaken[] = [];
  readonly notes: { readonly path: string; readonly note: string }[] = [];
  readonly variables: NeededVariable[] = [];
  private readonly marked = new Set<string>();
  /** Places with a mark on them or below them. */
  private readonly touched = new Set<string>();

  constructor(private readonly document: unknown) {}

  get root(): Place {
    return new Place(this, [], this.document);
  }

  mark(path: Path): void {
    this.marked.add(id(path));
    this.touch(path);
  }

  /** Something was made of this place: what is in it is reported part by part. */
  touch(path: Path): void {
    for (let length = 0; length <= path.length; length += 1) this.touched.add(id(path.slice(0, length)));
  }

  leave(path: Path, value: unknown, reason: string): void {
    this.mark(path);
    this.notTaken.push({ path: shown(path), reason, ...(holdsSecret(path, value) && { secret: true }) });
  }

  /** Reports everything without a mark, each part once: a part of which nothing was taken is one line, however much is in it. */
  leaveRest(reasonOf: (path: Path) => string): void {
    const visit = ({ path, value }: Place): void => {
      if (this.marked.has(id(path))) return;
      if (this.touched.has(id(path)) && typeof value === 'object' && value !== null) {
        for (const [key, inner] of Object.entries(value)) visit(new Place(this, [...path, key], inner));
      } else this.leave(path, value, reasonOf(path));
    };
    for (const place of this.root.entries()) visit(place);
  }
}

/** One place of the document. Reading a value of the expected kind marks it as taken; a value of another kind stays to be reported. */
export class Place {
  constructor(
    private readonly reading: Reading,
    readonly path: Path,
    readonly value: unknown,
  ) {}

  get name(): string {
    return this.path.at(-1) ?? '';
  }

  get isObject(): boolean {
    return typeof this.value === 'object' && this.value !== null && !Array.isArray(this.value);
  }

  /** The place below; its value is undefined where there is none. */
  at(...keys: string[]): Place {
    let value = this.value;
    for (const key of keys)
      value = typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
    return new Place(this.reading, [...this.path, ...keys], value);
  }

  /** Members of an object or a list. */
  entries(): Place[] {
    if (typeof this.value !== 'object' || this.value === null) return [];
    return Object.entries(this.value).map(([key, value]) => new Place(this.reading, [...this.path, key], value));
  }

  /** Marks the whole place as taken. */
  take(): unknown {
    if (this.value !== undefined) this.reading.mark(this.path);
    return this.value;
  }

  /** Marks that something was made of it, whatever it holds. */
  use(): void {
    this.reading.touch(this.path);
  }

  text(): string | undefined {
    return typeof this.value === 'string' && this.value !== '' ? (this.take() as string) : undefined;
  }

  number(): number | undefined {
    return typeof this.value === 'number' ? (this.take() as number) : undefined;
  }

  flag(): boolean | undefined {
    return typeof this.value === 'boolean' ? (this.take() as boolean) : undefined;
  }

  /** A list of texts; numbers, as which people write ids, count as texts. */
  texts(): string[] | undefined {
    if (!Array.isArray(this.value) || !this.value.every((one) => (typeof one === 'string' && one !== '') || typeof one === 'number')) return undefined;
    return (this.take() as (string | number)[]).map(String);
  }

  leave(reason: string): void {
    if (this.value !== undefined) this.reading.leave(this.path, this.value, reason);
  }

  note(note: string): void {
    this.reading.notes.push({ path: shown(this.path), note });
  }

  needs(name: string): void {
    this.reading.variables.push({ name, from: shown(this.path) });
  }
}

const id = (path: Path): string => path.join('\0');

/** A path as people write it. */
export function shown(path: Path): string {
  return path.map((key, index) => (/^[\w-]+$/.test(key) ? `${index === 0 ? '' : '.'}${key}` : `[${JSON.stringify(key)}]`)).join('') || 'document';
}

function holdsSecret(path: Path, value: unknown): boolean {
  if (typeof value === 'string') return value !== '' && !/^\$\{\w+\}$/.test(value) && (isSecretName(path.at(-1) ?? '') || looksSecret(value));
  return typeof value === 'object' && value !== null && Object.entries(value).some(([key, inner]) => holdsSecret([...path, key], inner));
}
