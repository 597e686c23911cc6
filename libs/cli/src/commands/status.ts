import { withoutPassword } from '@plexus/local-stack';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import { type MeshOptions, runningMesh } from '../mesh.js';
import { type Output, table } from '../output.js';

interface Probe {
  readonly name: string;
  readonly pid: number;
  readonly http: string | undefined;
  readonly ready: boolean;
  readonly detail: string;
}

const PROBE_TIMEOUT_MS = 2_000;

async function probe(name: string, service: { readonly pid: number; readonly http: string | undefined }): Promise<Probe> {
  if (service.http === undefined) return { name, ...service, ready: false, detail: 'is starting' };
  try {
    const response = await fetch(`${service.http}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    const { checks = [] } = (await response.json()) as { checks?: { name: string; ok: boolean; reason?: string }[] };
    const failing = checks.filter(({ ok }) => !ok).map((check) => (check.reason === undefined ? check.name : `${check.name}: ${check.reason}`));
    return { name, ...service, ready: response.ok, detail: response.ok ? 'ready' : `not ready: ${failing.join(', ') || response.status}` };
  } catch (cause) {
    return { name, ...service, ready: false, detail: `no answer (${(cause as Error).message})` };
  }
}

/** `plexus status`: exit 0 when every service is ready, 4 when one is not, 3 when nothing runs. */
export function statusCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  program
    .command('status')
    .description('what runs here, and whether it is ready')
    .action(async () => {
      const record = runningMesh(mesh());
      if (record === undefined)
        throw new CommandFailure(`No mesh is running on the state folder ${mesh().state}.`, EXIT.unreachable, 'Start one with `npm start`.', 'NOT_RUNNING');
      const probes = await Promise.all(Object.entries(record.services).map(([name, service]) => probe(name, service)));
      const healthy = probes.every((one) => one.ready);
      output().result({ ready: healthy, pid: record.process.pid, gateway: record.gateway, nats: record.nats, services: probes }, [
        `${healthy ? 'ready' : 'NOT READY'}   gateway ${record.gateway.ws}   nats ${withoutPassword(record.nats)}   launcher pid ${record.process.pid}`,
        '',
        ...table(probes.map((one) => [one.ready ? '✓' : '✗', one.name, `pid ${one.pid}`, one.http ?? '–', one.detail])),
      ]);
      if (!healthy) process.exitCode = EXIT.findings;
    });
}
