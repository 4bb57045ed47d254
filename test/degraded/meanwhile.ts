import type { Test } from 'tap';
import { signSession } from '../platform/production.ts';
import { abExperiment } from '../processes/start-platform.ts';
import { ask, connections, type Request, type Seen } from './ask.ts';
import { untilTrue } from './moments.ts';
import type { Platform } from './open-platform.ts';

/** limits.handlerTimeoutMs; it is looked at each second, and a busy machine adds. */
const answerWithinMs = 12_000;
const slackMs = 1_500;

/** With Postgres away: what cannot be promised is 503 + Retry-After, in time. */
export async function expectRefusals(t: Test, platform: Platform, given: Given): Promise<void> {
  const agent = connections(20);
  const asked = Object.entries(listRequests(platform, given)).map(async ([what, request]) => {
    const seen = await ask(agent, { ...request, timeoutMs: 2 * answerWithinMs });
    expectRefusal(t, what, seen);
    return seen.tookMs;
  });
  const slowest = Math.max(...(await Promise.all(asked)));
  t.comment(`the slowest refusal took ${Math.round(slowest)} ms`);
  agent.destroy();
}

export interface Given {
  readonly experimentId: string;
  readonly funnelId: string;
  readonly treatmentId: string;
  readonly assignmentId: string;
  readonly userId: string;
}

function listRequests(
  { ingest, management, stores }: Platform,
  { experimentId, funnelId, treatmentId, assignmentId, userId }: Given,
): Record<string, Omit<Request, 'timeoutMs'>> {
  const key = { 'x-api-key': stores.apiKey };
  const session = signSession();
  const { url } = management;
  const list = (path: string) => ({ url: url + path, method: 'GET', headers: session });
  return {
    'an event': {
      url: `${ingest.url}/events`,
      headers: key,
      body: { assignmentId, eventType: 'CLICK', eventId: `click-${funnelId}` },
    },
    'an event by triplet': {
      url: `${ingest.url}/events`,
      headers: key,
      body: { experimentId, treatmentId, userId, eventType: 'CLICK' },
    },
    'a funnel reward': { url: `${url}/funnels/${funnelId}/reward`, headers: key, body: { userId, value: 1 } },
    'a new experiment': { url: `${url}/experiments`, headers: session, body: abExperiment('Refused') },
    'a pause': {
      url: `${url}/experiments/${experimentId}`,
      method: 'PUT',
      headers: session,
      body: { status: 'PAUSED' },
    },
    experiments: list('/experiments'),
    'an experiment': list(`/experiments/${experimentId}`),
    results: list(`/experiments/${experimentId}/results`),
    events: list(`/events/${experimentId}`),
    funnels: list('/funnels'),
    members: list('/members'),
    'the audit log': list('/audit-log'),
    'a rebuild': { url: `${url}/experiments/${experimentId}/refresh`, headers: session },
  };
}

function expectRefusal(t: Test, what: string, { status, headers, body, tookMs }: Seen): void {
  t.match(
    { status, headers, body },
    {
      status: 503,
      headers: { 'retry-after': /^\d+$/, 'x-request-id': String },
      body: { success: false, code: String, error: String, timestamp: String },
    },
    `${what}: 503 with Retry-After in the envelope`,
  );
  t.ok(tookMs <= answerWithinMs + slackMs, `${what}: answered after ${Math.round(tookMs)} ms`);
}

/** NATS or Redis away: configuration and learning go on, within 5 s each. */
export async function expectNoDifference(t: Test, platform: Platform): Promise<void> {
  const { assignments, clientOf, manager, ingest } = platform;
  const experimentId = await manager.activate(abExperiment('Meanwhile'));
  const clients = assignments.map(clientOf);
  const given: string[] = [];
  const configuredMs = await untilTrue(
    async () => {
      const answers = await Promise.all(
        clients.map((client, n) =>
          client.track('POST', '/assignments', { experimentId, userId: `user-${n}` }),
        ),
      );
      for (const { body } of answers) if (body.success) given.push(body.data.assignmentId);
      return answers.every(({ status }) => status === 200);
    },
    goOnMs,
    'a new experiment reaches every process',
  );
  const tracked = await clientOf(ingest).track('POST', '/events', {
    assignmentId: given.at(-1),
    eventType: 'CONVERSION',
    value: 1,
  });
  t.equal(tracked.status, 201, 'an event is taken');
  const learnedMs = await untilTrue(
    async () => {
      const { body } = await manager.manage('GET', `/experiments/${experimentId}/results`);
      return body.data.totals.conversions === 1;
    },
    goOnMs,
    'it is learned',
  );
  t.pass(`configured after ${Math.round(configuredMs)} ms, learned after ${Math.round(learnedMs)} ms`);
}

const goOnMs = 5_000;
