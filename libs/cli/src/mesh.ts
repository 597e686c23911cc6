import { readFileSync } from 'node:fs';
import { type Bus, type BusCredentials, type BusTls, connectBus } from '@plexus/bus';
import { type MeshRecord, readMeshRecord, statePaths, withoutPassword } from '@plexus/local-stack';
import { CommandFailure, EXIT } from './exit-code.js';

/** Where a command finds the mesh: options first, then the environment, then the state folder of `npm start`. */
export interface MeshOptions {
  readonly state: string;
  readonly nats?: string;
  readonly seedFile?: string;
  /** Of `NATS_CA_FILE`, `NATS_CERT_FILE` and `NATS_KEY_FILE`. */
  readonly natsTls?: BusTls;
  readonly gateway?: string;
  readonly token?: string;
  readonly tokenFile?: string;
}

/** What the running mesh wrote about itself, if it runs. */
export function runningMesh(options: MeshOptions): MeshRecord | undefined {
  return readMeshRecord(options.state);
}

/** An nkey seed, or a `.creds` file: the text says which. */
export function credentialsOf(text: string): BusCredentials {
  return text.includes('BEGIN NATS USER JWT') ? { creds: text } : { nkeySeed: text.trim() };
}

function operatorCredentials(options: MeshOptions): BusCredentials | undefined {
  const file = options.seedFile ?? (options.nats === undefined ? statePaths(options.state).nkeySeed('operator') : undefined);
  if (file === undefined) return undefined;
  try {
    return credentialsOf(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new CommandFailure(
      `The NATS credential ${file} cannot be read: ${(cause as Error).message}`,
      EXIT.unreachable,
      'Start the mesh once with `npm start`, or name a file with --seed-file.',
      'NO_CREDENTIAL',
    );
  }
}

function natsUrl(options: MeshOptions): string {
  const url = options.nats ?? runningMesh(options)?.nats;
  if (url === undefined) {
    throw new CommandFailure(
      `No mesh is running on the state folder ${options.state}.`,
      EXIT.unreachable,
      'Start one with `npm start`, or name a server with --nats (or NATS_URL).',
      'NOT_RUNNING',
    );
  }
  return url;
}

/** Connects as operator, runs `work`, and always closes the connection. */
export async function withBus<T>(options: MeshOptions, work: (bus: Bus) => Promise<T>): Promise<T> {
  const servers = natsUrl(options);
  let bus: Bus;
  try {
    bus = await connectBus({
      service: 'cli',
      servers,
      credentials: operatorCredentials(options),
      connectTimeoutMs: 5_000,
      log: silent,
      ...(options.natsTls && { tls: options.natsTls }),
    });
  } catch (cause) {
    if (cause instanceof CommandFailure) throw cause;
    throw new CommandFailure(
      `NATS at ${withoutPassword(servers)} cannot be reached: ${(cause as Error).message}`,
      EXIT.unreachable,
      '`plexus doctor` checks what is missing.',
      'UNREACHABLE',
    );
  }
  try {
    return await work(bus);
  } finally {
    await bus.close();
  }
}

const ignore = (): void => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** HTTP address and bearer token of the gateway. */
export function gatewayAccess(options: MeshOptions): { readonly http: string; readonly ws: string; readonly token: string } {
  const record = runningMesh(options);
  const http = options.gateway ?? record?.gateway.http;
  if (http === undefined)
    throw new CommandFailure(`No mesh is running on the state folder ${options.state}.`, EXIT.unreachable, 'Start one with `npm start`.', 'NOT_RUNNING');
  const token = options.token ?? readToken(options);
  return { http, ws: http.replace(/^http/, 'ws'), token };
}

function readToken(options: MeshOptions): string {
  const file = options.tokenFile ?? statePaths(options.state).token;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw new CommandFailure(
      `There is no gateway token in ${file}.`,
      EXIT.unreachable,
      'Give one with --token or --token-file, or start the mesh once with `npm start`.',
      'NO_CREDENTIAL',
    );
  }
}
