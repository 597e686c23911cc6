import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { tryLock } from '@plexus/kernel/file-lock';

const LOWEST = 12_000;
const TRIES = 200;
/** Ports that people expect for something else, the gateway's own default among them. */
const LEFT_ALONE = new Set([18_789, 27_017]);
/** Processes of this machine that give out ports keep out of each other's way: each has blocks of this many to itself. */
const BLOCK = 40;
/** Given out by this process and perhaps not yet bound. */
const given = new Set<number>();
/** First ports of the blocks that are ours. */
const blocks: number[] = [];

/**
 * A free TCP port of the loopback interface, below the range that the kernel hands out by itself: a server that is started again on its port
 * must not find it taken by somebody's outgoing connection. No other process that asks here gets it while this one lives. Throws when none is found.
 */
export async function freePort(): Promise<number> {
  for (const block of blocks) {
    const port = await freeIn(block);
    if (port !== undefined) return port;
  }
  const count = Math.floor((ephemeralRangeStart() - LOWEST) / BLOCK);
  for (let tried = 0; tried < TRIES; tried += 1) {
    const block = LOWEST + randomInt(count) * BLOCK;
    if (blocks.includes(block) || !claim(block)) continue;
    blocks.push(block);
    const port = await freeIn(block);
    if (port !== undefined) return port;
  }
  throw new Error(`no free port found between ${LOWEST} and ${LOWEST + count * BLOCK - 1} in ${TRIES} tries`);
}

/** Any order but the same one: a port that was just given up by a killed server is not the next to be given out. */
async function freeIn(block: number): Promise<number | undefined> {
  const offset = randomInt(BLOCK);
  for (let step = 0; step < BLOCK; step += 1) {
    const port = block + ((offset + step) % BLOCK);
    if (LEFT_ALONE.has(port) || given.has(port) || !(await isPortFree(port))) continue;
    given.add(port);
    return port;
  }
  return undefined;
}

/** The lock is never given back: it ends with this process, and the next one that wants the block takes it over. */
function claim(block: number): boolean {
  try {
    const attempt = tryLock(path.join(tmpdir(), `plexus-ports-${process.getuid?.() ?? 0}`, String(block)));
    // Another copy of this module in the same process: whatever it has given out and is bound is seen.
    return 'held' in attempt || attempt.holder.process.pid === process.pid;
  } catch {
    return true; // nowhere to write: the odds are good enough
  }
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
