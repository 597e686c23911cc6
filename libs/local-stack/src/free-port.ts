import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const LOWEST = 12_000;
const TRIES = 200;
/** Ports that people expect for something else, the gateway's own default among them. */
const LEFT_ALONE = new Set([18_789, 27_017]);
/** Given out by this process and perhaps not yet bound. */
const given = new Set<number>();

/**
 * A free TCP port of the loopback interface, below the range that the kernel hands out by itself: a server that is started again on its port
 * must not find it taken by somebody's outgoing connection. Throws when none is found.
 */
export async function freePort(): Promise<number> {
  const highest = ephemeralRangeStart();
  for (let tried = 0; tried < TRIES; tried += 1) {
    const port = randomInt(LOWEST, highest);
    if (LEFT_ALONE.has(port) || given.has(port) || !(await isPortFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no free port found between ${LOWEST} and ${highest - 1} in ${TRIES} tries`);
}

/** First port that the kernel assigns by itself. */
function ephemeralRangeStart(): number {
  const usual = 32_768;
  try {
    const start = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0]);
    // A system that hands out nearly everything leaves us no range of our own; the usual one is as good as any then.
    return start > LOWEST + 1_000 ? start : usual;
  } catch {
    return usual; // Not Linux.
  }
}

/** True when nothing listens on this loopback port. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
