import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { Clock, Result } from '@plexus/kernel';
import { type FrameProblem, FrameReceiver, FrameSender, type MeshFrame, type OutgoingFrame } from '@plexus/vm-protocol/link';
import { JournalFile } from './adapters/file/journal-file.js';
import { GatewayLink } from './adapters/ws/gateway-link.js';
import type { LinkContext } from './adapters/ws/link-context.js';
import { openSocket } from './adapters/ws/open-socket.js';
import { Fence } from './application/fence.js';
import { KeyRing } from './application/key-ring.js';
import { ModelDefaults } from './application/model-defaults.js';
import { UplinkCalls } from './application/mesh-calls.js';
import type { Log } from './application/ports.js';
import type { Runtime } from './application/runtime.js';
import { RunTraces } from './application/run-traces.js';
import { Snapshots } from './application/snapshots.js';
import { Uplink } from './application/uplink.js';
import type { RuntimeConfig } from './config.js';
import { JournalState } from './domain/journal-state.js';

/** What frames are read and carried out with: most of this program, and nothing that a connection needs before its first answer. */
export interface Sessions {
  readonly runtime: Runtime;
  decode(data: Buffer): Result<MeshFrame, FrameProblem>;
  /** Lets go of what agents of all sessions share. Never rejects. */
  close(): Promise<void>;
}

/** Sessions and agents, which are loaded later than the connection. */
export interface LateSessions {
  readonly loaded: Sessions | undefined;
  load(): Promise<void>;
}

/** Everything between the sessions and the mesh. */
export interface MeshParts {
  readonly state: JournalState;
  readonly journal: JournalFile;
  readonly fence: Fence;
  readonly uplink: Uplink;
  readonly calls: UplinkCalls;
  readonly snapshots: Snapshots;
  readonly keys: KeyRing;
  readonly models: ModelDefaults;
  readonly traces: RunTraces;
  readonly counters: LinkContext['counters'];
  /** Frames of this incarnation that an earlier process left unacked. */
  readonly spooled: number;
  linkTo(sessions: LateSessions): GatewayLink;
}

/** Opens the journal and puts together what outlives single connections. */
export function assembleMesh(config: RuntimeConfig, log: Log, clock: Clock): MeshParts {
  let state = new JournalState();
  let spool: OutgoingFrame[] = [];
  let sender = new FrameSender();
  const journal = JournalFile.open(path.join(config.workdir, 'runtime'), config.epoch, log, (found, unacked) => {
    state = found;
    spool = unacked;
    sender = new FrameSender({ acked: found.acked, unacked });
    return () => sender.pending();
  });
  const fence = new Fence(clock);
  const uplink = new Uplink(sender, journal, state);
  const calls = new UplinkCalls({ uplink, clock, log });
  const snapshots = new Snapshots({ uplink, state, clock, log });
  const counters = { refusedFrames: 0, reconnects: 0, loopRestarts: 0 };
  const { vmId, epoch, bootstrapSecret } = config;
  const clientNonce = randomBytes(16).toString('hex');
  const keys = new KeyRing({ vmId, epoch, clientNonce, bootstrapSecret, log });
  const models = new ModelDefaults();
  const traces = new RunTraces(clock);
  const parts = { state, journal, fence, uplink, calls, snapshots, keys, models, traces, counters, spooled: spool.length };
  const link = { config, log, clock, sender, clientNonce };
  return { ...parts, linkTo: (sessions) => new GatewayLink(linkContext(parts, link, sessions)) };
}

interface LinkParts {
  readonly config: RuntimeConfig;
  readonly log: Log;
  readonly clock: Clock;
  readonly sender: FrameSender;
  readonly clientNonce: string;
}

function linkContext(
  { state, journal, fence, uplink, calls, snapshots, keys, models, traces, counters }: Omit<MeshParts, 'linkTo'>,
  { config, log, clock, sender, clientNonce }: LinkParts,
  sessions: LateSessions,
): LinkContext {
  const loaded = (): Sessions => {
    // A connection reads nothing before `prepare` is through.
    if (!sessions.loaded) throw new TypeError('a frame was read before there was anything to read it with');
    return sessions.loaded;
  };
  return {
    url: config.gatewayUrl,
    identity: { userId: config.userId, vmId: config.vmId, epoch: config.epoch, clientNonce },
    ticket: config.ticket,
    token: config.token,
    receiver: new FrameReceiver<MeshFrame | undefined>({ durable: state.received }),
    sender,
    uplink,
    journal,
    fence,
    clock,
    log,
    connect: openSocket,
    calls,
    traces,
    counters,
    prepare: () => sessions.load(),
    isPrepared: () => sessions.loaded !== undefined,
    decode: (data) => loaded().decode(data),
    activeSessions: () => sessions.loaded?.runtime.activeSessions() ?? [],
    reports: () => sessions.loaded?.runtime.reports() ?? [],
    isAccepted: () => state.initialised,
    noteAccepted() {
      const before = state.initialised;
      if (!before) {
        state.apply({ k: 'init' });
        journal.append({ k: 'init' });
      }
      return before;
    },
    commit(frames) {
      for (const { fseq, frame } of frames) {
        const entry = { k: 'down', fseq, ...(frame && { frame }) } as const;
        state.apply(entry);
        journal.append(entry);
      }
      if (config.syncCommands && frames.some(({ frame }) => frame)) journal.sync();
      else journal.flush();
    },
    dispatch: (frame) => loaded().runtime.dispatch(frame),
    hear(frame) {
      if (frame.type === 'init') {
        keys.accept(frame);
        models.accept(frame);
        traces.accept(frame);
      }
      if (frame.type === 'snapshot_ack') snapshots.acked(frame);
      if (frame.type !== 'drain') return;
      log('info', 'the mesh drains this VM', { graceMs: frame.data.grace_ms, snapshot: frame.data.snapshot === true });
      if (frame.data.snapshot) void snapshots.takeAll(loaded().runtime.snapshotSources(), true);
    },
  };
}
