import type { ServiceMetrics } from '@plexus/service-kit';
import { type Attributes, extractContext, recordForeignSpan, SpanKind, telemetryIsRegistered, withSpan } from '@plexus/telemetry';
import type { VmSpan } from '@plexus/vm-protocol';
import type { VmTracing } from '../application/vm/vm-ports.js';

/** Name under which spans of VMs stand, whoever wrote them down. */
const RUNTIME = 'runtime';
const SPANS_PER_SECOND = 50;

/** Spans of VMs go where those of this process go, as those of the service `runtime`, with the names of the GenAI conventions. */
export function vmTracing({ counter }: Pick<ServiceMetrics, 'counter'>): VmTracing {
  const dropped = counter('spansDropped');
  return {
    perSecond: telemetryIsRegistered() ? SPANS_PER_SECOND : 0,
    record: ({ tenant, vmId, epoch }, span) => {
      const { name, kind, attributes } = describeSpan(span);
      recordForeignSpan({
        ...{ service: RUNTIME, name, kind, traceId: span.trace_id, spanId: span.span_id, parentSpanId: span.parent_span_id },
        ...{ startMs: span.start_ms, durationMs: span.duration_ms, ...(span.error === undefined ? {} : { error: span.error }) },
        attributes: { ...attributes, 'plexus.tenant': tenant, 'plexus.vm.id': vmId, 'plexus.vm.epoch': epoch },
      });
    },
    dropped: (count, reason) => dropped.add(count, { reason }),
    within: (traceparent, work) =>
      withSpan('gateway vm request', { kind: SpanKind.SERVER, parent: extractContext((name) => (name === 'traceparent' ? traceparent : undefined)) }, work),
  };
}

/** Name, kind and attributes after the semantic conventions; made from the fields of the frame alone. */
function describeSpan(span: VmSpan): { readonly name: string; readonly kind: SpanKind; readonly attributes: Attributes } {
  const present = (attributes: Readonly<Record<string, string | number | undefined>>): Attributes =>
    Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
  const { agent, model, provider, tool, server } = span;
  switch (span.op) {
    case 'run':
      return {
        name: `invoke_agent ${agent ?? ''}`.trim(),
        kind: SpanKind.INTERNAL,
        attributes: present({
          ...{ 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.id': agent, 'gen_ai.conversation.id': span.session_id, 'plexus.run.id': span.run_id },
        }),
      };
    case 'chat':
      return {
        name: `chat ${model ?? ''}`.trim(),
        kind: SpanKind.CLIENT,
        attributes: present({
          ...{ 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': model, 'gen_ai.provider.name': provider },
          ...{ 'gen_ai.usage.input_tokens': span.input_tokens, 'gen_ai.usage.output_tokens': span.output_tokens },
        }),
      };
    case 'tool':
      return {
        name: `execute_tool ${tool ?? ''}`.trim(),
        kind: SpanKind.INTERNAL,
        attributes: present({ 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': tool, 'gen_ai.tool.call.id': span.call_id }),
      };
    case 'mcp':
      return {
        name: `tools/call ${tool ?? ''}`.trim(),
        kind: SpanKind.CLIENT,
        attributes: present({ 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': tool, 'plexus.mcp.server': server }),
      };
  }
}
