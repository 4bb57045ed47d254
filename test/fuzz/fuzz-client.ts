import { Client } from 'undici';
import type { RunningPlatform } from '../platform/kinds.ts';
import type { Answer } from './judge-answer.ts';
import type { FuzzRequest } from './make-request.ts';

export const adminEmail = 'admin@example.com';
export const platformToken = 'a platform token of the fuzz test';

/** One connection that is kept; an answer that does not come in time is an error. */
export interface FuzzClient {
  send(request: FuzzRequest): Promise<Answer>;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field.
  call(method: string, path: string, headers: Readonly<Record<string, string>>, body?: object): Promise<any>;
  close(): Promise<void>;
}

/** Above every deadline of the platform. */
const answerTimeoutMs = 30_000;

export function createFuzzClient(url: string): FuzzClient {
  const client = new Client(url, {
    pipelining: 1,
    headersTimeout: answerTimeoutMs,
    bodyTimeout: answerTimeoutMs,
  });
  const send: FuzzClient['send'] = async ({ method, path, headers, body }) => {
    const response = await client.request({ method: method as 'GET', path, headers, body: body ?? null });
    const text = await response.body.text();
    return { method, path, status: response.statusCode, headers: response.headers, text };
  };
  return {
    send,
    call: async (method, path, headers, body) => {
      const json = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const type: Record<string, string> = json === undefined ? {} : { 'content-type': 'application/json' };
      return JSON.parse((await send({ method, path, headers: { ...headers, ...type }, body: json })).text);
    },
    close: () => client.destroy(),
  };
}

/** An active experiment of two treatments, and an assignment of it. */
export async function makeExperiment(client: FuzzClient, platform: RunningPlatform) {
  const session = platform.sessionOf(adminEmail);
  const treatments = ['A', 'B'].map((name) => ({ name, config: { content: name } }));
  const experiment = await client.call('POST', '/experiments', session, {
    name: 'Fuzzed',
    algorithm: 'EPSILON_GREEDY',
    treatments,
  });
  const { id } = experiment.data;
  await client.call('PUT', `/experiments/${id}`, session, { status: 'ACTIVE' });
  // The change reaches the assignment service a moment later: asked again until it has.
  const ask = () =>
    client.call(
      'POST',
      '/assignments',
      { 'x-api-key': platform.apiKey },
      { experimentId: id, userId: 'user_1' },
    );
  let assignment = await ask();
  for (let tries = 1; tries < 500 && !assignment.success; tries += 1) assignment = await ask();
  return { id: id as string, assignmentId: assignment.data.assignmentId as string, experiment, assignment };
}
