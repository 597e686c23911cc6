import { AbortedError, PlexusError } from '@plexus/kernel';
import { DispatchResult, DispatchStatusResult } from '@plexus/vm-protocol';
import { z } from 'zod';
import type { MeshCalls } from '../../application/mesh-calls.js';
import type { Tool, ToolContext, ToolResult } from '../../application/ports.js';
import { problem, readInput } from './tool-input.js';

const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
const Severity = z.enum(SEVERITIES);
const NotifyInput = z.object({ summary: z.string().min(1).max(2_000), text: z.string().max(16_000).optional(), severity: Severity.optional() });
const ResearchInput = z.object({ query: z.string().min(1).max(100_000), agent_id: z.string().min(1).max(64).optional() });
const BothInput = ResearchInput.extend({ summary: z.string().min(1).max(500).optional(), severity: Severity.optional() });
const StatusInput = z.object({ run_id: z.string().min(1).max(128) });

const severity = { type: 'string', enum: [...SEVERITIES] };
const query = { type: 'string', description: 'A self-contained task: the other agent knows nothing of this conversation.' };
const agent = { type: 'string', description: 'Which agent does it; the default one if left out.' };

/** Tools by which an agent tells its user something outside the conversation, or lets another agent look into something. */
export function notifyTools(calls: MeshCalls): readonly Tool[] {
  return [notifyTool(calls), researchTool(calls), bothTool(calls), statusTool(calls)];
}

async function ask(
  calls: MeshCalls,
  method: string,
  params: Record<string, unknown>,
  context: ToolContext,
): Promise<{ answer: unknown } | { refused: ToolResult }> {
  try {
    return { answer: await calls.request(context.sessionId, method, params, { signal: context.signal }) };
  } catch (error) {
    if (error instanceof AbortedError || !PlexusError.isPlexusError(error)) throw error;
    return { refused: problem(`This was refused: ${error.message} (${error.code})`) };
  }
}

function notifyTool(calls: MeshCalls): Tool {
  return {
    name: 'notify_user',
    description: 'Notifies the user outside of this conversation. Their preferences and quiet hours decide when and how it reaches them. Use it sparingly.',
    inputSchema: {
      type: 'object',
      properties: { summary: { type: 'string', description: 'One sentence.' }, text: { type: 'string' }, severity },
      required: ['summary'],
      additionalProperties: false,
    },
    async run(input, context) {
      const read = readInput(NotifyInput, input);
      if (!read.ok) return read.result;
      const asked = await ask(calls, 'notify_user', { ...read.value, run_id: context.runId }, context);
      return 'refused' in asked ? asked.refused : { content: 'The notification is on its way.' };
    },
  };
}

function researchTool(calls: MeshCalls): Tool {
  return {
    name: 'dispatch_research',
    description: 'Lets an agent look into something in the background. Answers with an id; dispatch_status tells how far it is and what was found.',
    inputSchema: { type: 'object', properties: { query, agent_id: agent }, required: ['query'], additionalProperties: false },
    async run(input, context) {
      const read = readInput(ResearchInput, input);
      return read.ok ? begin(calls, 'dispatch_research', read.value, context) : read.result;
    },
  };
}

function bothTool(calls: MeshCalls): Tool {
  return {
    name: 'dispatch_and_notify',
    description: 'Lets an agent look into something in the background and notifies the user of the result when it is there.',
    inputSchema: {
      type: 'object',
      properties: { query, agent_id: agent, summary: { type: 'string', description: 'What it is about, for the notification.' }, severity },
      required: ['query'],
      additionalProperties: false,
    },
    async run(input, context) {
      const read = readInput(BothInput, input);
      return read.ok ? begin(calls, 'dispatch_and_notify', read.value, context) : read.result;
    },
  };
}

function statusTool(calls: MeshCalls): Tool {
  return {
    name: 'dispatch_status',
    description: 'Says how far a research that was dispatched is, and what was found.',
    inputSchema: { type: 'object', properties: { run_id: { type: 'string' } }, required: ['run_id'], additionalProperties: false },
    async run(input, context) {
      const read = readInput(StatusInput, input);
      if (!read.ok) return read.result;
      const asked = await ask(calls, 'dispatch_status', read.value, context);
      if ('refused' in asked) return asked.refused;
      const status = DispatchStatusResult.safeParse(asked.answer);
      if (!status.success) return problem('The mesh gave an answer that cannot be understood.');
      const { state, result, error } = status.data;
      if (state === 'failed') return problem(`It failed: ${error?.message ?? 'no reason was given'} (${error?.code ?? 'INTERNAL'})`);
      return { content: state === 'done' ? (result ?? '') : 'It is not finished yet.' };
    },
  };
}

async function begin(calls: MeshCalls, method: string, params: Record<string, unknown>, context: ToolContext): Promise<ToolResult> {
  const asked = await ask(calls, method, { ...params, run_id: context.runId }, context);
  if ('refused' in asked) return asked.refused;
  const begun = DispatchResult.safeParse(asked.answer);
  return begun.success ? { content: `Begun as ${begun.data.run_id}.` } : problem('The mesh gave an answer that cannot be understood.');
}
