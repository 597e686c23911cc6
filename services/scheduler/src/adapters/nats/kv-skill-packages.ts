import type { Bus } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import type { SkillBytes } from '@plexus/vm-protocol';
import type { SkillPackages } from '../../application/skills.js';

interface StoredPackage {
  readonly files: readonly { readonly path: string; readonly content: string }[];
}

/** `PLEXUS_SKILLS`: one entry for each package, under `<tenant>.<hash>`. */
export class KvSkillPackages implements SkillPackages {
  constructor(private readonly bus: Pick<Bus, 'kv'>) {}

  async put(tenant: string, hash: string, files: readonly SkillBytes[]): Promise<void> {
    const stored: StoredPackage = { files: files.map(({ path, bytes }) => ({ path, content: Buffer.from(bytes).toString('base64') })) };
    // Written even when it is there: a deletion that runs at the same time spares what is newer than its mark.
    await (await this.bucket()).put(keyOf(tenant, hash), stored);
  }

  async get(tenant: string, hash: string): Promise<readonly SkillBytes[] | undefined> {
    const entry = await (await this.bucket()).get(keyOf(tenant, hash));
    return entry?.json<StoredPackage>().files.map(({ path, content }) => ({ path, bytes: Buffer.from(content, 'base64') }));
  }

  async mark(tenant: string, hash: string): Promise<() => Promise<void>> {
    const bucket = await this.bucket();
    const key = keyOf(tenant, hash);
    const revision = (await bucket.get(key))?.revision;
    return async () => {
      if (revision !== undefined) await bucket.delete(key, revision);
    };
  }

  private bucket(): ReturnType<Bus['kv']> {
    return this.bus.kv(BUCKETS.skills);
  }
}

function keyOf(tenant: string, hash: string): string {
  return `${tenant}.${hash}`;
}
