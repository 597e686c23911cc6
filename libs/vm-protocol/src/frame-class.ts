import type { MeshFrameType } from './mesh-frames.js';
import type { VmFrameType } from './vm-frames.js';

/**
 * How a frame is delivered in the reliable profile. `handshake`: no number. `reliable`: numbered, kept until acked, replayed,
 * deduplicated. `ephemeral`: never replayed.
 */
export type FrameClass = 'handshake' | 'reliable' | 'ephemeral';

const CLASSES: Record<VmFrameType | MeshFrameType, FrameClass> = {
  auth: 'handshake',
  init: 'handshake',
  resume: 'handshake',
  resume_response: 'handshake',
  fenced: 'handshake',
  heartbeat: 'ephemeral',
  heartbeat_ack: 'ephemeral',
  ack: 'ephemeral',
  nack: 'ephemeral',
  snapshot_ack: 'ephemeral',
  token_refresh: 'ephemeral',
  spans: 'ephemeral',
  sse_event: 'reliable',
  request: 'reliable',
  fire_and_forget: 'reliable',
  run_accepted: 'reliable',
  run_rejected: 'reliable',
  cancel_ack: 'reliable',
  config_ack: 'reliable',
  start_session: 'reliable',
  stop_session: 'reliable',
  user_message: 'reliable',
  cancel: 'reliable',
  config_update: 'reliable',
  response: 'reliable',
  bind: 'reliable',
  drain: 'reliable',
};

/** The class of a frame type; undefined for a type that is not part of the protocol. */
export function frameClass(type: string): FrameClass | undefined {
  return Object.hasOwn(CLASSES, type) ? CLASSES[type as VmFrameType] : undefined;
}
