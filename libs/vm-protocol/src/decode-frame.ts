import { err, ok, parseJson, type Result } from '@plexus/kernel';
import type { z } from 'zod';
import { LIMITS } from './limits.js';
import { MESH_FRAMES, type MeshFrame } from './mesh-frames.js';
import { VM_FRAMES, type VmFrame } from './vm-frames.js';

export type FrameProblemCode = 'TOO_LARGE' | 'BAD_JSON' | 'NOT_A_FRAME' | 'UNKNOWN_TYPE' | 'BAD_FRAME';

/** Why a frame was refused. Carries sizes, paths and type names only, never content: it may be logged. */
export interface FrameProblem {
  readonly code: FrameProblemCode;
  readonly reason: string;
  readonly bytes: number;
  readonly type?: string;
  /** Number of a refused reliable frame: it is consumed all the same, or it would be replayed for ever. */
  readonly fseq?: number;
}

export interface DecodeOptions {
  readonly maxBytes?: number;
}

const MAX_ISSUES = 5;

function decode(schemas: Record<string, z.ZodType>, input: string | Uint8Array, options: DecodeOptions): Result<unknown, FrameProblem> {
  const bytes = typeof input === 'string' ? Buffer.byteLength(input) : input.byteLength;
  const maxBytes = options.maxBytes ?? LIMITS.frameBytes;
  if (bytes > maxBytes) return err({ code: 'TOO_LARGE', reason: `more than ${maxBytes} bytes`, bytes });

  const parsed = parseJson(input, { maxDepth: LIMITS.jsonDepth, maxKeys: LIMITS.jsonKeys });
  if (!parsed.ok) return err({ code: 'BAD_JSON', reason: parsed.error.message, bytes });
  const value = parsed.value;
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return err({ code: 'NOT_A_FRAME', reason: 'a frame is a JSON object', bytes });

  const { type, fseq } = value as { type?: unknown; fseq?: unknown };
  const number = typeof fseq === 'number' && Number.isSafeInteger(fseq) && fseq >= 1 ? { fseq } : {};
  if (typeof type !== 'string') return err({ code: 'NOT_A_FRAME', reason: 'the frame has no type', bytes, ...number });
  const name = type.slice(0, 64);
  const schema = Object.hasOwn(schemas, type) ? schemas[type] : undefined;
  if (!schema) return err({ code: 'UNKNOWN_TYPE', reason: 'unknown frame type', bytes, type: name, ...number });

  const result = schema.safeParse(value);
  if (result.success) return ok(result.data);
  const reason = result.error.issues
    .slice(0, MAX_ISSUES)
    .map((issue) => `${issue.path.map(String).join('.').slice(0, 128) || '(frame)'}: ${issue.code}`)
    .join('; ');
  return err({ code: 'BAD_FRAME', reason, bytes, type: name, ...number });
}

/** Reads a frame that came from a VM. Never throws. */
export function decodeVmFrame(input: string | Uint8Array, options: DecodeOptions = {}): Result<VmFrame, FrameProblem> {
  return decode(VM_FRAMES, input, options) as Result<VmFrame, FrameProblem>;
}

/** Reads a frame that came from the mesh. Never throws. */
export function decodeMeshFrame(input: string | Uint8Array, options: DecodeOptions = {}): Result<MeshFrame, FrameProblem> {
  return decode(MESH_FRAMES, input, options) as Result<MeshFrame, FrameProblem>;
}
