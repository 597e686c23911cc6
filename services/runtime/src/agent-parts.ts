import type { Clock } from '@plexus/kernel';
import type { AttachmentBytes } from './application/attached-files.js';
import type { Fence } from './application/fence.js';
import type { KeyRing } from './application/key-ring.js';
import type { MeshCalls } from './application/mesh-calls.js';
import type { ModelDefaults } from './application/model-defaults.js';
import type { Log } from './application/ports.js';
import type { RunTraces } from './application/run-traces.js';
import type { RuntimeConfig } from './config.js';

/** What agents of every kind are put together from. */
export interface AgentParts {
  readonly config: RuntimeConfig;
  readonly calls: MeshCalls;
  /** Files of messages. */
  readonly attachments: AttachmentBytes;
  /** Provider keys of the owner; they may change with each connection. */
  readonly keys: Pick<KeyRing, 'get'>;
  /** Likewise what the mesh says of models. */
  readonly models: Pick<ModelDefaults, 'fallbacks'>;
  readonly traces: RunTraces;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
}
