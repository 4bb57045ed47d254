import type { RunningPlatform } from '../../platform/kinds.ts';
import { adminEmail, type FuzzClient } from '../fuzz-client.ts';

/** Asks a process of each service, several times, for what does not exist. */
export interface Probe {
  /** @returns answers that belong to another request, or changed since the probe was made */
  findMixups(): Promise<string[]>;
}

/** As many as make sure that every process of a fleet, and each of the gateway's kept connections in use, was asked. */
const nEach = 6;

/**
 * Where a gateway and a process disagree about where a request ends, the next one on their connection gets a wrong answer:
 * each answer must carry the id of its own request and say what was said before.
 */
export async function createProbe(platform: RunningPlatform, client: FuzzClient): Promise<Probe> {
  const key = { 'x-api-key': platform.apiKey };
  const session = platform.sessionOf(adminEmail);
  const questions = [
    { path: '/assignments/unknown?userId=probe', headers: key },
    { path: '/events/unknown', headers: session },
    { path: '/experiments/unknown', headers: session },
  ];
  let nAsked = 0;
  const ask = async ({ path, headers }: (typeof questions)[number]) => {
    nAsked += 1;
    const id = `probe-${nAsked}`;
    const request = { method: 'GET', path, headers: { ...headers, 'x-request-id': id }, body: undefined };
    const { status, headers: got, text } = await client.send(request);
    const said = `${status} ${text.replace(/"timestamp":"[^"]*"/, '')}`;
    return { said, isOwn: got['x-request-id'] === id };
  };
  const expected = await Promise.all(questions.map(async (question) => (await ask(question)).said));
  return {
    findMixups: async () => {
      const mixups: string[] = [];
      for (const [i, question] of questions.entries()) {
        for (const { said, isOwn } of await Promise.all(Array.from({ length: nEach }, () => ask(question)))) {
          if (!isOwn) mixups.push(`${question.path} got the answer of another request: ${said}`);
          else if (said !== expected[i]) mixups.push(`${question.path} got ${said}, not ${expected[i]}`);
        }
      }
      return mixups;
    },
  };
}
