import { isSpanContextValid, type Span, trace } from '@opentelemetry/api';

/** What a log line says about the trace that it belongs to. */
export interface TraceFields {
  readonly trace_id?: string;
  readonly span_id?: string;
}

/**
 * The active span's ids under the names that log stores expect; nothing outside a trace. For a logger's `mixin`: a fresh
 * object each time, as pino writes the line's own fields into it.
 */
export function traceFields(span: Span | undefined = trace.getActiveSpan()): TraceFields {
  const held = span?.spanContext();
  return held !== undefined && isSpanContextValid(held)
    ? { trace_id: held.traceId, span_id: held.spanId }
    : {};
}
