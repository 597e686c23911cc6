import type { ClientInfo, ConnectParams } from '@plexus/client-protocol';

/** What is remembered of what a client said of itself, for as long as it is connected. Nothing in it proves anything, and no secret is in it. */
export interface Introduction {
  readonly role: 'operator' | 'node';
  readonly client: ClientInfo;
  readonly caps: ReadonlySet<string>;
  readonly deviceId?: string;
  readonly node?: Pick<ConnectParams, 'commands' | 'permissions' | 'pathEnv'>;
}

const MAX_REMEMBERED = 1_000;

/** Reads introductions. Operators that say the same share one object: ten thousand pages of one version do not keep their words ten thousand times. */
export class Introductions {
  private readonly operators = new Map<string, Introduction>();

  of(connect: ConnectParams): Introduction {
    const { client, device, commands, permissions, pathEnv } = connect;
    const caps: ReadonlySet<string> = new Set(connect.caps);
    if (connect.role === 'node') {
      return { role: 'node', client, caps, ...(device?.id === undefined ? {} : { deviceId: device.id }), node: { commands, permissions, pathEnv } };
    }
    const words = JSON.stringify([client, connect.caps]);
    const known = this.operators.get(words);
    if (known !== undefined) return known;
    const introduction: Introduction = { role: 'operator', client, caps };
    if (this.operators.size >= MAX_REMEMBERED) this.operators.clear();
    this.operators.set(words, introduction);
    return introduction;
  }
}
