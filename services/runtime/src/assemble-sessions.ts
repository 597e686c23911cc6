import type { Clock } from '@plexus/kernel';
import { decodeMeshFrame } from '@plexus/vm-protocol';
import type { Log } from './application/ports.js';
import { AttachmentFiles } from './adapters/file/attachment-files.js';
import { EndedSessions } from './adapters/file/ended-sessions.js';
import { Runtime } from './application/runtime.js';
import { sessionFolder } from './domain/session-folder.js';
import { assembleAgents } from './assemble-agents.js';
import type { MeshParts, Sessions } from './assemble-mesh.js';
import type { RuntimeConfig } from './config.js';

/** Puts sessions and agents together, and takes up what the journal says is unfinished. */
export function assembleSessions(mesh: Omit<MeshParts, 'linkTo'>, config: RuntimeConfig, log: Log, clock: Clock): Sessions {
  const { state, fence, uplink, calls, snapshots, keys, models, traces } = mesh;
  const attachments = new AttachmentFiles(calls, (sessionId) => sessionFolder(config.workdir, sessionId).workspace);
  const adapters = assembleAgents({ config, calls, attachments, keys, models, traces, fence, clock, log });
  const keeper = new EndedSessions({
    workdir: config.workdir,
    keepMs: config.sessionRetentionMs,
    isSettled: (sessionId) => snapshots.isSettled(sessionId),
    isKnown: (sessionId) => state.sessions.has(sessionId),
    clock,
    log,
  });
  const runtime = new Runtime(state, { adapters, uplink, traces, snapshots, keeper, attachments, fence, clock, log });
  runtime.recover();
  const stop = new AbortController();
  const sweeping = keeper.run(stop.signal);
  return {
    runtime,
    decode: decodeMeshFrame,
    async close() {
      stop.abort();
      await sweeping;
      await Promise.allSettled(Object.values(adapters).map((adapter) => adapter.close?.()));
    },
  };
}
