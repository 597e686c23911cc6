import { COLOURS, lineChart, type Series } from '../report/svg.js';
import { MODEL_SERVICES, sizeFor } from './capacity.js';
import type { SimulationInputs } from './inputs.js';
import { simulateStorm } from './storm.js';

/** 10⁴ … 10⁷·⁵ users. */
const USERS = Array.from({ length: 29 }, (_, at) => 10 ** (4 + at / 8));

/** The pictures of docs/scaling.md, by file name. */
export function scalingPictures(inputs: SimulationInputs): Readonly<Record<string, string>> {
  const sizes = USERS.map((users) => sizeFor(users, inputs));
  const replicas = MODEL_SERVICES.map(
    (service, at): Series => ({ name: service, colour: COLOURS[at] as string, points: sizes.map((size) => [size.users, size.replicas[service]]) }),
  );
  const names = sizes.at(-1)?.limits.map(({ name }) => name) ?? [];
  const limits = names.slice(0, 6).map(
    (name, at): Series => ({
      name: shorten(name),
      colour: COLOURS[at] as string,
      points: sizes.map((size) => [size.users, Math.max(1e-4, size.limits.find((limit) => limit.name === name)?.used ?? 0)]),
    }),
  );
  const handshakeMs = inputs.measured.handshakeCpuMs.value;
  const spreads = [0, 15_000, 60_000, 120_000].map((spreadMs, at): Series => {
    const points = [250, 500, 1_000, 2_000, 5_000, 10_000].map((clients): [number, number] => [
      clients,
      simulateStorm({ clients, gateways: 1, handshakeMs, spreadMs, seed: 1 }).most,
    ]);
    return { name: spreadMs === 0 ? 'own back-off' : `spread over ${spreadMs / 1_000} s`, colour: COLOURS[at] as string, points };
  });
  return {
    'scaling-replicas.svg': lineChart(replicas, {
      title: 'Replicas of each service by number of users',
      xLabel: 'users',
      yLabel: 'replicas',
      logX: true,
      logY: true,
    }),
    'scaling-limits.svg': lineChart(limits, {
      title: 'How much of each limit of the simplest deployment is used (1 = broken)',
      xLabel: 'users',
      yLabel: 'share',
      logX: true,
      logY: true,
      width: 1_000,
      marks: [{ y: 1, label: 'broken' }],
    }),
    'scaling-storms.svg': lineChart(spreads, {
      title: 'Reconnect storm: until 99 % are back, by clients for each gateway that is left',
      xLabel: 'clients for each gateway',
      yLabel: 'seconds',
      logX: true,
      logY: true,
    }),
  };
}

const shorten = (name: string): string => (name.length > 24 ? `${name.slice(0, 23)}…` : name);
