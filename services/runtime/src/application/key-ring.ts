import { inspect } from 'node:util';
import { type MeshFrameOf, openApiKeys } from '@plexus/vm-protocol/link';
import type { Log } from './ports.js';

/** Name of the key for the model that the runtime was started with. */
export const MODEL_KEY = 'model';

export interface KeyRingOptions {
  readonly vmId: string;
  readonly epoch: number;
  readonly clientNonce: string;
  readonly bootstrapSecret: string;
  readonly log: Log;
}

/** Provider keys of the owner, as the newest connection brought them. Only ever in memory; printed or serialised it shows names alone. */
export class KeyRing {
  readonly #options: KeyRingOptions;
  #keys: ReadonlyMap<string, string> = new Map();

  constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  /** Takes the keys of a connection in place of those before. What does not open is left out and logged by name. */
  accept({ data, server_nonce: serverNonce }: MeshFrameOf<'init'>): void {
    const { vmId, epoch, clientNonce, bootstrapSecret, log } = this.#options;
    const address = { vmId, epoch, clientNonce, serverNonce: serverNonce ?? '' };
    const opened = openApiKeys(bootstrapSecret, address, data.api_keys);
    const before = openApiKeys(bootstrapSecret, address, data.previous_api_keys ?? {});
    this.#keys = new Map([...before.keys, ...opened.keys]);
    const refused = opened.refused.filter((name) => !before.keys.has(name));
    if (refused.length > 0) log('warn', 'provider keys that do not open are left out', { names: refused });
  }

  /** The key of a provider, or under {@link MODEL_KEY} that of the model that the runtime was started with. */
  get(name: string): string | undefined {
    return this.#keys.get(name);
  }

  get names(): string[] {
    return [...this.#keys.keys()];
  }

  toJSON(): { readonly names: string[] } {
    return { names: this.names };
  }

  [inspect.custom](): string {
    return `KeyRing(${this.names.join(', ')})`;
  }
}
