import {
  eventExample,
  eventSchema,
  type NowMs,
  succeed,
  successEnvelope,
  trackEventSchema,
} from '@bandit/contracts';
import type { AcceptRuntime } from '../accept-runtime.ts';
import { failureAnswers } from './answers.ts';
import type { Access, App } from './app.ts';

export interface TrackDeps {
  readonly runtime: Pick<AcceptRuntime, 'accept'>;
  /** Database time. */
  readonly nowMs: NowMs;
}

const bodyExample = {
  assignmentId: 'asgn_xyz789',
  eventType: 'CONVERSION',
  value: 29.99,
  metadata: { product: 'premium-plan' },
};

export function registerTrackEvent(app: App, access: Access, deps: TrackDeps): void {
  app.post(
    '/events',
    {
      onRequest: access.eventsKey,
      schema: {
        operationId: 'trackEvent',
        tags: ['Events'],
        summary: 'Track event',
        description:
          'Records what a user did. 201 means that it is stored; a conversion is learned within a second.',
        body: { ...trackEventSchema, examples: [bodyExample] },
        response: {
          201: {
            ...successEnvelope(eventSchema),
            description: 'Event created successfully',
            examples: [{ success: true, data: eventExample, timestamp: eventExample.timestamp }],
          },
          ...failureAnswers,
        } as Readonly<Record<number, object>>,
      },
    },
    async (request, reply) => {
      const [result] = await deps.runtime.accept(access.companyOf(request), [request.body]);
      if (result === undefined || 'error' in result) throw result?.error;
      reply.code(201);
      return succeed(result.event, deps.nowMs());
    },
  );
}
