import { PlexusError } from './plexus-error.js';

export interface ErrorDefinition {
  readonly status: number;
  readonly retryable: boolean;
  readonly sentence: string;
}

export interface CreateErrorOptions {
  /** Replaces the registered sentence where a better one is known. Public. */
  readonly message?: string;
  readonly details?: Record<string, unknown>;
  readonly cause?: unknown;
}

export interface ErrorRegistry<Code extends string> {
  /** The error of a registered code, with its sentence, status and retryability. */
  create(code: Code, options?: CreateErrorOptions): PlexusError;
  /** The definition of any code, also one that came from outside; undefined when it is not ours. */
  get(code: string): ErrorDefinition | undefined;
  has(code: string): code is Code;
  readonly codes: readonly Code[];
}

const CODE_SHAPE = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/;

/** Makes the table of stable error codes usable. Throws at start-up when an entry breaks the rules. */
export function createErrorRegistry<const Table extends Record<string, ErrorDefinition>>(definitions: Table): ErrorRegistry<keyof Table & string> {
  type Code = keyof Table & string;
  const table = new Map<string, ErrorDefinition>(Object.entries(definitions));
  for (const [code, { status, sentence }] of table) {
    if (!CODE_SHAPE.test(code)) throw new TypeError(`error code ${JSON.stringify(code)} is not UPPER_SNAKE_CASE`);
    if (!Number.isInteger(status) || status < 400 || status > 599) throw new RangeError(`error code ${code} has status ${status}, expected 400..599`);
    if (sentence.trim() === '') throw new TypeError(`error code ${code} has no sentence`);
  }
  return {
    codes: [...table.keys()] as Code[],
    get: (code) => table.get(code),
    has: (code): code is Code => table.has(code),
    create(code, options = {}) {
      const definition = table.get(code);
      if (!definition) throw new TypeError(`error code ${JSON.stringify(code)} is not registered`);
      const { status, retryable, sentence } = definition;
      return new PlexusError({ code, status, retryable, message: options.message ?? sentence, details: options.details, cause: options.cause });
    },
  };
}
