import { mkdir } from 'node:fs/promises';
import type { StartSessionData } from '@plexus/vm-protocol';
import { type Checkpoint, readCheckpoint } from '../../application/loop/checkpoint.js';
import { type CurrentTurn, type LoopDependencies, LoopSession, type SessionResources } from '../../application/loop/loop-session.js';
import type { AgentSession, RuntimeAdapter } from '../../application/ports.js';
import { sessionFolder } from '../../domain/session-folder.js';
import { CheckpointFiles } from '../file/checkpoint-files.js';

export type Conversation = Pick<SessionResources, 'window' | 'memory' | 'tools' | 'found'>;

/** A session whose conversation is to be taken up. */
export interface ConversationOf {
  readonly data: StartSessionData;
  /** Folder for its files; may not exist yet. */
  readonly memoryFolder: string;
  readonly found: Checkpoint | undefined;
  readonly now: CurrentTurn;
}

export interface SemigraphOptions extends Omit<LoopDependencies, 'open'> {
  readonly workdir: string;
  /** What keeps the conversation within the window of the model, and its files beside the checkpoints. */
  readonly conversation: (session: ConversationOf) => Promise<Conversation>;
}

/** The agent that runs in this process: model calls, tools, and a checkpoint after every step. */
export class SemigraphAdapter implements RuntimeAdapter {
  constructor(private readonly options: SemigraphOptions) {}

  start(data: StartSessionData): AgentSession {
    return new LoopSession(data, { ...this.options, open: (settings, now) => this.open(settings, now) });
  }

  async close(): Promise<void> {
    for (const source of this.options.sources) await source.close?.();
  }

  private async open(data: StartSessionData, now: CurrentTurn): Promise<SessionResources> {
    const folder = sessionFolder(this.options.workdir, data.session_id);
    await mkdir(folder.workspace, { recursive: true, mode: 0o700 });
    const checkpoints = new CheckpointFiles(folder.checkpoints, this.options.log);
    const found = (await checkpoints.newest()) ?? snapshotIn(data);
    return { checkpoints, found, workspace: folder.workspace, ...(await this.options.conversation({ data, memoryFolder: folder.memory, found, now })) };
  }
}

/** On a machine whose workspace is gone: what the mesh kept of the session. */
function snapshotIn(data: StartSessionData): Checkpoint | undefined {
  const { snapshot } = data as { snapshot?: { body?: { checkpoint?: unknown } } | null };
  return readCheckpoint(snapshot?.body?.checkpoint);
}
