import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '@plexus/kernel';
import { FrameReceiver, FrameSender, type MeshFrame, type OutgoingFrame } from '@plexus/vm-protocol';
import { EchoAgent, whyNoModel } from './adapters/agents/echo-agent.js';
import { EndpointAgent } from './adapters/agents/endpoint-agent.js';
import { ModelAgent } from './adapters/agents/model-agent.js';
import { JournalFile } from './adapters/file/journal-file.js';
import { GatewayLink, type LinkExit } from './adapters/ws/gateway-link.js';
import { Fence } from './application/fence.js';
import type { Agent, AgentPiece, Log, ModelPiece } from './application/ports.js';
import { Runtime } from './application/runtime.js';
import { Uplink } from './application/uplink.js';
import type { RuntimeConfig } from './config.js';
import { JournalState } from './domain/journal-state.js';

export interface Assembled {
  /** Runs until the mesh sends us away, was silent for too long, or the signal aborts. Then everything is stopped and the journal closed. */
  run(signal: AbortSignal): Promise<LinkExit>;
}

/** Puts the parts together. */
export function assemble(config: RuntimeConfig, log: Log, clock: Clock = systemClock): Assembled {
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
  const agent = chooseAgent(config, fence, log);
  const runtime = new Runtime(state, {
    adapters: { semigraph: { start: () => ({ run: (turn, signal) => spoken(agent.run(turn, signal)) }) } },
    uplink,
    fence,
    clock,
    log,
  });
  const counters = { refusedFrames: 0, reconnects: 0, loopRestarts: 0 };
  const link = new GatewayLink({
    url: config.gatewayUrl,
    identity: { userId: config.userId, vmId: config.vmId, epoch: config.epoch, clientNonce: randomBytes(16).toString('hex') },
    ticket: config.ticket,
    token: config.token,
    receiver: new FrameReceiver<MeshFrame | undefined>({ durable: state.received }),
    sender,
    uplink,
    journal,
    fence,
    clock,
    log,
    counters,
    activeSessions: () => runtime.activeSessions(),
    reports: () => runtime.reports(),
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
      journal.flush();
    },
    dispatch: (frame) => runtime.dispatch(frame),
  });

  return {
    async run(signal) {
      if (state.initialised)
        log('info', 'journal of this incarnation found, going on', { received: state.received, spooled: spool.length, runs: state.runs.size });
      runtime.recover();
      const exit = await link.run(signal);
      await runtime.abandon();
      journal.close();
      log('info', 'stopped', { ...exit, ...counters });
      return exit;
    },
  };
}

function chooseAgent(config: RuntimeConfig, fence: Fence, log: Log): Agent {
  const { vmId, epoch, bootstrapSecret, model: settings } = config;
  const beforeCall = (signal: AbortSignal): Promise<void> => fence.open(signal);
  return new EndpointAgent({
    vmId,
    epoch,
    bootstrapSecret,
    without: agentWithout(settings, beforeCall, log),
    at: (endpoint) => new ModelAgent({ ...endpoint, log, beforeCall }),
  });
}

/** Who answers runs that come without an endpoint. */
function agentWithout(settings: RuntimeConfig['model'], beforeCall: (signal: AbortSignal) => Promise<void>, log: Log): Agent {
  const { baseUrl, model, apiKey } = settings;
  if (baseUrl === undefined || model === undefined) {
    log('info', 'no model is configured here: messages that bring no endpoint are echoed');
    return new EchoAgent(whyNoModel(settings));
  }
  return new ModelAgent({ baseUrl, model, apiKey, log, beforeCall });
}

/** What a model says, for a session that offers it no tools. */
async function* spoken(pieces: AsyncIterable<ModelPiece>): AsyncGenerator<AgentPiece> {
  for await (const piece of pieces) if (piece.type !== 'tool_call') yield piece;
}
