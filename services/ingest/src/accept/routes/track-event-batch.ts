import {
  ApiError,
  type BatchResult,
  batchResultSchema,
  errorCodeSchema,
  eventExample,
  limits,
  succeed,
  successEnvelope,
  type TrackEvent,
  trackEventBatchSchema,
  trackEventSchema,
} from '@bandit/contracts';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyBaseLogger } from 'fastify';
import type { AcceptResult } from '../accept-in-passes.ts';
import { failureAnswers } from './answers.ts';
import type { Access, App } from './app.ts';
import type { TrackDeps } from './track-event.ts';

const bodyExample = {
  events: [
    { assignmentId: 'asgn_xyz789', eventType: 'CLICK', metadata: { element: 'cta-button' } },
    { assignmentId: 'asgn_xyz789', eventType: 'CONVERSION', value: 49.99 },
  ],
};

const mixedEnvelopeSchema = Type.Object({
  success: Type.Boolean({ description: 'True when at least one event was created.' }),
  data: batchResultSchema,
  error: Type.Optional(Type.String()),
  code: Type.Optional(errorCodeSchema),
  timestamp: Type.String({ format: 'date-time' }),
});

const resultExample: BatchResult = {
  total: 2,
  success_count: 1,
  created: [eventExample],
  errors: [
    {
      index: 1,
      status: 409,
      code: 'DUPLICATE_EVENT',
      error: 'CONVERSION of this assignment was already recorded as evt_abc123; each is counted once',
      details: { eventId: 'evt_abc123' },
    },
  ],
};

export function registerTrackEventBatch(app: App, access: Access, deps: TrackDeps): void {
  const checkItem = createItemCheck(app);
  app.post(
    '/events/batch',
    {
      onRequest: access.eventsKey,
      bodyLimit: limits.batchBodyBytesMax,
      config: { jsonItems: { field: 'events', itemsMax: limits.eventBatchItemsMax } },
      schema: {
        operationId: 'trackEventBatch',
        tags: ['Events'],
        summary: 'Batch track events',
        description:
          'Records up to 1,000 events, each by itself; the first of two that repeat each other wins.',
        body: { ...trackEventBatchSchema, examples: [bodyExample] },
        response: {
          201: {
            ...successEnvelope(batchResultSchema),
            description: 'All events created successfully',
            examples: [
              { success: true, data: { ...resultExample, errors: [] }, timestamp: eventExample.timestamp },
            ],
          },
          207: {
            ...mixedEnvelopeSchema,
            description: 'Partial success: some events failed',
            examples: [{ success: true, data: resultExample, timestamp: eventExample.timestamp }],
          },
          ...failureAnswers,
        } as Readonly<Record<number, object>>,
      },
    },
    async (request, reply) => {
      const results = await acceptItems(deps, access.companyOf(request), request.body.events, checkItem);
      refuseWhenAway(results);
      const data = toBatchResult(results, request.log);
      const nowMs = deps.nowMs();
      if (data.errors.length === 0) return reply.code(201).send(succeed(data, nowMs));
      return reply.code(207).send(mixedAnswer(data, nowMs));
    },
  );
}

type ItemCheck = (item: unknown) => TrackEvent | ApiError;

/**
 * The same validator as for a single event, so that an item is refused with the same sentence. What the parser refused
 * stands in the item's place.
 */
function createItemCheck(app: App): ItemCheck {
  if (app.validatorCompiler === undefined) throw new Error('the server has no validator compiler');
  const route = { method: 'POST', url: '/events/batch', httpPart: 'event' };
  const validate = app.validatorCompiler({ schema: trackEventSchema, ...route });
  return (item) => {
    if (item instanceof ApiError) return item;
    const checked = validate(item) as { value: TrackEvent } | { error: ApiError };
    return 'error' in checked ? checked.error : checked.value;
  };
}

async function acceptItems(
  deps: TrackDeps,
  companyId: string,
  items: readonly unknown[],
  checkItem: ItemCheck,
): Promise<AcceptResult[]> {
  const checked = items.map(checkItem);
  const valid = checked.flatMap((item) => (item instanceof ApiError ? [] : [item]));
  const accepted = valid.length === 0 ? [] : await deps.runtime.accept(companyId, valid);
  let next = 0;
  return checked.map((item) => (item instanceof ApiError ? { error: item } : accepted[next++]!));
}

/** Nothing was stored, and all of it may be stored later: one 503 instead of a thousand. */
function refuseWhenAway(results: readonly AcceptResult[]): void {
  const errors = results.map((result) => ('error' in result ? result.error : undefined));
  const isAway = errors.every((error) => error instanceof ApiError && error.statusCode === 503);
  if (isAway) throw errors[0];
}

function toBatchResult(results: readonly AcceptResult[], log: FastifyBaseLogger): BatchResult {
  const created = results.flatMap((result) => ('event' in result ? [result.event] : []));
  const errors = results.flatMap((result, index) =>
    'error' in result ? [toItemError(result.error, index, log)] : [],
  );
  return { total: results.length, success_count: created.length, created, errors };
}

function toItemError(error: unknown, index: number, log: FastifyBaseLogger): BatchResult['errors'][number] {
  if (error instanceof ApiError) {
    const { statusCode: status, code, message, details } = error;
    return { index, status, code, error: message, ...(details === undefined ? {} : { details }) };
  }
  log.error({ err: error, index }, 'an event of a batch failed');
  const sentence = 'something went wrong on our side; the request id finds it in the log';
  return { index, status: 500, code: 'INTERNAL_ERROR', error: sentence };
}

function mixedAnswer(data: BatchResult, nowMs: number): Static<typeof mixedEnvelopeSchema> {
  const timestamp = new Date(nowMs).toISOString();
  if (data.success_count > 0) return { success: true, data, timestamp };
  const error = `none of the ${data.total} events was created: see data.errors`;
  return { success: false, data, error, code: 'MULTI_STATUS_ALL_FAILED', timestamp };
}
