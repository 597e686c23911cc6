import { PlexusError } from '@plexus/kernel';
import type { Log, LogLevel } from './application/ports.js';

const ORDER: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Errors as plain data: kind, sentence and where it happened. What an error carries beside that may be content or a key. */
function plain(value: unknown): unknown {
  if (PlexusError.isPlexusError(value)) return value.toJSON();
  return value instanceof Error ? { name: value.name, message: value.message, stack: value.stack } : value;
}

/** JSON lines on stderr. */
export function createLog(level: LogLevel, bound: Record<string, unknown>, write: (line: string) => void = (line) => process.stderr.write(line)): Log {
  return (at, message, fields = {}) => {
    if (ORDER[at] < ORDER[level]) return;
    const rest = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plain(value)]));
    write(`${JSON.stringify({ level: at, time: new Date().toISOString(), service: 'runtime', ...bound, msg: message, ...rest })}\n`);
  };
}
