import type { Attributes, SpanKind } from '@opentelemetry/api';

/** A finished span of a program that cannot write spans itself. Whoever records it has checked every field. */
export interface ForeignSpan {
  /** Name of that program, for `service.name`. */
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKind;
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly parentSpanId: string;
  /** Unix time in milliseconds. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly attributes: Attributes;
  /** Stable code of a failure. */
  readonly error?: string;
}
