/** A W3C `traceparent` that asks for spans, taken apart; undefined for one that is none or whose trace nobody records. */
export function sampledTrace(traceparent: unknown): { readonly traceId: string; readonly spanId: string } | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const [, trace, span, flags] = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent) ?? [];
  if (trace === undefined || span === undefined || (Number.parseInt(flags as string, 16) & 1) === 0) return undefined;
  return { traceId: trace, spanId: span };
}
