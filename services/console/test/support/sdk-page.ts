import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../../../..');

/** A site of somebody else: one page that loads the packed SDK as it is, under a policy that allows scripts of this site only. */
export interface SdkSite {
  readonly origin: string;
  /** Packs the SDK; from then on the page finds it. */
  pack(): void;
  close(): Promise<void>;
}

export async function startSdkSite(): Promise<SdkSite> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'plexus-sdk-'));
  const files = new Map<string, { readonly type: string; readonly body: string | Buffer }>([
    ['/', { type: 'text/html', body: '<!doctype html><html lang="en"><title>Somebody’s page</title><link rel="icon" href="data:,">' }],
  ]);
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? '');
    if (file === undefined) return response.writeHead(404).end();
    const policy = "default-src 'none'; script-src 'self'; connect-src http://127.0.0.1:* ws://127.0.0.1:*; img-src data:";
    return response.writeHead(200, { 'content-type': `${file.type}; charset=utf-8`, 'content-security-policy': policy }).end(file.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pack: () => {
      const packed = spawnSync(process.execPath, [path.join(root, 'libs/sdk/pack.mjs'), folder], { encoding: 'utf8' });
      const unpacked = spawnSync('tar', ['-xzf', packed.stdout.trim(), '-C', folder], { encoding: 'utf8' });
      if (packed.status !== 0 || unpacked.status !== 0) throw new Error(`the SDK cannot be packed: ${packed.stderr}${unpacked.stderr}`);
      files.set('/plexus-sdk/browser.js', { type: 'text/javascript', body: readFileSync(path.join(folder, 'package/browser.js')) });
    },
    close: async () => {
      rmSync(folder, { recursive: true, force: true });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
