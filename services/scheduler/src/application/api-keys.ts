import { randomBytes } from 'node:crypto';
import { type ApiKeysAddress, type Encrypted, sealApiKeys, sealPlainKey } from '@plexus/vm-protocol';
import { WARM_USER } from './admission.js';
import type { IncarnationKey, OwnerKey } from './ports.js';
import type { ProviderSecrets } from './provider-secrets.js';

/** Who has just connected, as far as the gateway knows. */
export interface KeyRecipient {
  readonly protocol: 1 | 2;
  /** Reliable profile. */
  readonly clientNonce?: string | undefined;
  /** Plain profile: what authenticated the socket. */
  readonly token?: string | undefined;
}

/** What goes into the init frame. */
export interface SealedApiKeys {
  readonly init: { readonly api_keys: Record<string, Encrypted>; readonly previous_api_keys?: Record<string, Encrypted> };
  readonly serverNonce?: string;
}

const NONCE_BYTES = 16;
/** More than anybody has; what is behind them is left out, by name. */
const MAX_KEYS = 64;

/**
 * The provider keys that the owner of a VM has stored, sealed for the connection that asks. Nothing of it is written down: each connection gets
 * boxes of its own. A VM that nobody owns yet, or that a whole tenant shares, gets none; keys of the platform and of a tenant's configuration are
 * not among them (those go along with the messages that need them).
 */
export class ApiKeys {
  constructor(
    private readonly options: {
      readonly secrets: Pick<ProviderSecrets, 'get' | 'list'> | undefined;
      /** Secrets that the incarnation may have been given, the present one first. */
      readonly bootstrapSecrets: (key: IncarnationKey) => readonly string[];
      /** A key that cannot be read is left out. */
      readonly onUnreadable: (name: string, error: unknown) => void;
    },
  ) {}

  /** Never rejects because of a key: a VM without one still works. */
  async seal(incarnation: IncarnationKey, owner: OwnerKey, recipient: KeyRecipient): Promise<SealedApiKeys> {
    const { vmId, epoch } = incarnation;
    const keys = await this.keysOf(owner);
    const { clientNonce, token } = recipient;
    if (recipient.protocol === 1) {
      if (token === undefined) return { init: { api_keys: {} } };
      const boxes = Object.entries(keys).map(([provider, key]) => [provider, sealPlainKey(token, { vmId, userId: owner.subject, provider }, key)]);
      return { init: { api_keys: Object.fromEntries(boxes) as Record<string, Encrypted> } };
    }
    if (clientNonce === undefined) return { init: { api_keys: {} } };
    const serverNonce = randomBytes(NONCE_BYTES).toString('hex');
    const address: ApiKeysAddress = { vmId, epoch, clientNonce, serverNonce };
    const [current, previous] = this.options.bootstrapSecrets({ vmId, epoch }).map((secret) => sealApiKeys(secret, address, keys));
    const hasPrevious = previous !== undefined && Object.keys(previous).length > 0;
    return { init: { api_keys: current ?? {}, ...(hasPrevious ? { previous_api_keys: previous } : {}) }, serverNonce };
  }

  private async keysOf({ tenant, subject }: OwnerKey): Promise<Record<string, string>> {
    const { secrets, onUnreadable } = this.options;
    if (secrets === undefined || subject === '*' || subject === WARM_USER) return {};
    const keys: Record<string, string> = {};
    try {
      for (const { name } of (await secrets.list(tenant, subject)).slice(0, MAX_KEYS)) {
        try {
          const key = await secrets.get(tenant, subject, name);
          if (key !== undefined) keys[name] = key;
        } catch (error) {
          onUnreadable(name, error);
        }
      }
    } catch (error) {
      onUnreadable('*', error);
    }
    return keys;
  }
}
