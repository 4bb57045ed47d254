/**
 * A server span for each request, when an OpenTelemetry SDK is registered in this process (`NODE_OPTIONS=--import`); without
 * one nothing is installed and nothing is paid. The span of a request is held until its answer ended or its connection
 * closed; a crash loses the spans that the SDK has not exported.
 *
 * Attributes are the method, the route's pattern, the status and the request's id: no path, no query, no message of an
 * error, as each may name a user.
 */
import {
  type Attributes,
  type Context,
  context,
  ProxyTracerProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const spans = new WeakMap<FastifyRequest, Context>();

/** True once a tracer provider was registered. Asked when a server is made: an SDK comes before the program. */
export function isTracing(): boolean {
  const provider = trace.getTracerProvider();
  // What a proxy nobody registered with delegates to: the provider that makes no spans.
  const none = new ProxyTracerProvider().getDelegate();
  return (provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider) !== none;
}

/** Registered before every other hook, so that each of them runs inside the span. */
export function traceRequests(app: FastifyInstance, version: string): void {
  if (!isTracing()) return;
  const tracer = trace.getTracer('@bandit/http', version);
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.isUnlimited === true) return done();
    const held = startSpan(tracer, request);
    spans.set(request, held);
    // A connection that closes early ends no answer.
    reply.raw.once('close', () => endSpan(request, reply));
    context.with(held, done);
  });
  // The body arrived in the socket's context: enter the request's again.
  app.addHook('preValidation', (request, _reply, done) => {
    const held = spans.get(request);
    if (held === undefined) done();
    else context.with(held, done);
  });
  app.addHook('onResponse', (request, reply, done) => {
    endSpan(request, reply);
    done();
  });
}

/** The span of a request that has not ended; undefined without an SDK. */
export function spanOfRequest(request: FastifyRequest): Span | undefined {
  const held = spans.get(request);
  return held && trace.getSpan(held);
}

function startSpan(tracer: Tracer, request: FastifyRequest): Context {
  const { method } = request;
  const route = request.routeOptions.url;
  const active = context.active();
  // The operator's own HTTP instrumentation may have made the server span already.
  const isInner = trace.getSpan(active) !== undefined;
  const parent = isInner ? active : propagation.extract(ROOT_CONTEXT, request.headers);
  const attributes: Attributes = { 'http.request.method': method, 'bandit.request_id': request.id };
  if (route !== undefined) attributes['http.route'] = route;
  const kind = isInner ? SpanKind.INTERNAL : SpanKind.SERVER;
  const span = tracer.startSpan(
    route === undefined ? method : `${method} ${route}`,
    { kind, attributes },
    parent,
  );
  return trace.setSpan(parent, span);
}

function endSpan(request: FastifyRequest, reply: FastifyReply): void {
  const span = spanOfRequest(request);
  if (span === undefined) return;
  spans.delete(request);
  if (reply.raw.writableEnded) {
    const { statusCode } = reply;
    span.setAttribute('http.response.status_code', statusCode);
    if (statusCode >= 500) setFailed(span, String(statusCode));
  } else setFailed(span, 'connection_closed');
  span.end();
}

function setFailed(span: Span, errorType: string): void {
  span.setAttribute('error.type', errorType);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
