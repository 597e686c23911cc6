import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks of Linux's /proc, in ms. */
const TICK_MS = 10;

/** Milliseconds that processes have worked so far, with those that they started: user and system time as /proc has it. Zero where there is no /proc. */
export function workedMs(pids: readonly number[]): number {
  const processes = table();
  let sum = 0;
  const add = (pid: number) => {
    sum += processes.get(pid)?.worked ?? 0;
    for (const [child, { parent }] of processes) if (parent === pid && !pids.includes(child)) add(child);
  };
  for (const pid of pids) add(pid);
  return sum;
}

function table(): Map<number, { parent: number; worked: number }> {
  const processes = new Map<number, { parent: number; worked: number }>();
  for (const entry of names()) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const text = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const fields = text
        .slice(text.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      processes.set(Number(entry), { parent: fields[1] as number, worked: ((fields[11] as number) + (fields[12] as number)) * TICK_MS });
    } catch {
      // It has ended since the folder was listed.
    }
  }
  return processes;
}

function names(): string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}
