/**
 * An OpenTelemetry SDK for the platform's processes, as an example to copy: the platform itself ships none. In a folder of
 * your own, beside a copy of this file:
 *
 *   npm install @opentelemetry/api@1.10.0 @opentelemetry/sdk-node@0.301.0
 *   NODE_OPTIONS="--import /that/folder/register.mjs" OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 …
 *
 * The standard OTEL_ variables configure it. docs/observability.md has what is traced and what to watch out for.
 */
import { isMainThread } from 'node:worker_threads';
import { NodeSDK } from '@opentelemetry/sdk-node';

process.env.OTEL_SERVICE_NAME ??= 'bandit';
// Metrics are scraped from /metrics and logs are lines on stdout.
process.env.OTEL_METRICS_EXPORTER ??= 'none';
process.env.OTEL_LOGS_EXPORTER ??= 'none';
// Spans wait this long for their batch (milliseconds): a stop loses no more than that.
process.env.OTEL_BSP_SCHEDULE_DELAY ??= '500';

// Worker threads (the embedded database, training, results) make no spans.
if (isMainThread) new NodeSDK({ instrumentations: [] }).start();
