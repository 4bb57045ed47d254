import fc from 'fast-check';
import type { Test } from 'tap';
import type { RunningPlatform } from '../platform/kinds.ts';
import {
  adminEmail,
  createFuzzClient,
  type FuzzClient,
  makeExperiment,
  platformToken,
} from './fuzz-client.ts';
import { judgeAnswer } from './judge-answer.ts';
import { KnownIds } from './known-ids.ts';
import { listOperations, type Operation } from './list-operations.ts';
import { type Credentials, type Draft, makeDrafts, makeRequest } from './make-request.ts';

export interface FuzzSettings {
  /** Of all clients together. */
  readonly requests: number;
  readonly seed: number;
  /** Each draws by a seed of its own: `seed`, `seed + 1` … */
  readonly nClients: number;
  readonly timeLimitMs: number | undefined;
}

/** FUZZ_REQUESTS: how many (default 3,000, cut short after 30 s); FUZZ_SEED: which ones. */
export function readFuzzSettings(nClients: number): FuzzSettings {
  const { FUZZ_REQUESTS, FUZZ_SEED = '20260115' } = process.env;
  return {
    requests: Number(FUZZ_REQUESTS ?? 3_000),
    seed: Number(FUZZ_SEED),
    nClients,
    timeLimitMs: FUZZ_REQUESTS === undefined ? 30_000 : undefined,
  };
}

/** What all clients share: the ids that exist, and what was answered. */
interface Campaign {
  readonly operations: readonly Operation[];
  readonly credentials: Credentials;
  readonly ids: KnownIds;
  /** By status; from 500 on by code and path, too. */
  readonly counts: Map<string, number>;
  readonly reached: Set<string>;
}

/** A machine too busy to answer in time may say so, and must not say so often. */
const unavailableShareMax = 0.01;

/** Generated and mutated requests over every route, from several clients at once. */
export async function fuzzRoutes(
  t: Test,
  platform: RunningPlatform,
  { requests, seed, nClients, timeLimitMs }: FuzzSettings,
): Promise<void> {
  const clients = Array.from({ length: nClients }, () => createFuzzClient(platform.url));
  t.teardown(() => Promise.all(clients.map((client) => client.close())));
  const campaign = await openCampaign(clients[0] as FuzzClient, platform);
  t.ok(campaign.operations.length >= 30, `${campaign.operations.length} operations`);
  t.comment(`${platform.kind}: seeds from ${seed}, at most ${requests} requests of ${nClients} clients`);
  const runs = clients.map((client, i) => {
    const drafts = makeDrafts(campaign.operations.length);
    const property = fc.asyncProperty(drafts, (draft) => tryOne(client, draft, campaign));
    const limit = timeLimitMs === undefined ? {} : { interruptAfterTimeLimit: timeLimitMs };
    return fc.check(property, { seed: seed + i, numRuns: Math.ceil(requests / nClients), ...limit });
  });
  let nRuns = 0;
  for (const run of runs) {
    const result = await run;
    nRuns += result.numRuns;
    t.notOk(result.failed && result.counterexample, describeResult(result));
  }
  judgeCounts(t, campaign, nRuns, requests);
}

async function openCampaign(client: FuzzClient, platform: RunningPlatform): Promise<Campaign> {
  const session = platform.sessionOf(adminEmail);
  const ids = new KnownIds();
  for (const path of ['/api-keys', '/members']) {
    for (const { id } of (await client.call('GET', path, session)).data) ids.spare(id);
  }
  for (let i = 0; i < 4; i += 1) {
    const { id, experiment, assignment } = await makeExperiment(client, platform);
    const funnel = { name: `Funnel ${i}`, experimentIds: [id] };
    ids.learn([experiment, assignment, await client.call('POST', '/funnels', session, funnel)]);
  }
  return {
    operations: listOperations(await client.call('GET', '/openapi.json', {})),
    credentials: { apiKey: platform.apiKey, session, platformToken },
    ids,
    counts: new Map(),
    reached: new Set(),
  };
}

/** @throws with what was sent and answered when the answer breaks a promise */
async function tryOne(client: FuzzClient, draft: Draft, campaign: Campaign): Promise<void> {
  const operation = campaign.operations[draft.operation]!;
  const request = makeRequest(operation, draft, campaign.ids, campaign.credentials);
  const answer = await client.send(request);
  const code = answer.status >= 500 ? /"code":"(\w+)"/.exec(answer.text)?.[1] : undefined;
  const outcome = code === undefined ? `${answer.status}` : `${answer.status} ${code} ${operation.path}`;
  campaign.counts.set(outcome, (campaign.counts.get(outcome) ?? 0) + 1);
  if (answer.status < 300) {
    campaign.reached.add(`${operation.method} ${operation.path}`);
    if (answer.text.startsWith('{')) campaign.ids.learn(JSON.parse(answer.text));
  }
  const faults = judgeAnswer(answer);
  if (faults.length === 0) return;
  const sent = { ...request, body: request.body?.toString('latin1').slice(0, 2_000) };
  throw new Error(`${faults.join('; ')}\nsent ${JSON.stringify(sent)}\ngot ${answer.text.slice(0, 2_000)}`);
}

/** The name of a test point: what went wrong first, and how to see it again. */
export function describeResult<T>(result: fc.RunDetails<T>): string {
  const { errorInstance } = result;
  const reason = errorInstance instanceof Error ? `: ${errorInstance.message}` : '';
  return `${fc.defaultReportMessage(result) ?? 'no counterexample'}${reason}`;
}

function judgeCounts(
  t: Test,
  { operations, counts, reached }: Campaign,
  nRuns: number,
  wanted: number,
): void {
  t.comment(`${nRuns} requests: ${JSON.stringify(Object.fromEntries([...counts].sort()))}`);
  const missed = operations.filter(({ method, path }) => !reached.has(`${method} ${path}`));
  t.comment(`never answered 2xx: ${missed.map(({ method, path }) => `${method} ${path}`).join(', ')}`);
  t.ok(nRuns >= Math.min(wanted, 300), 'enough requests were sent');
  const count = (outcome: string): number => counts.get(outcome) ?? 0;
  t.ok(count('201') > 0 && count('400') > 0, 'some got through, some were refused');
  const unavailable = [...counts]
    .filter(([outcome]) => /^503 (SERVICE_UNAVAILABLE|STORE_UNAVAILABLE|OVERLOADED)/.test(outcome))
    .reduce((sum, [, n]) => sum + n, 0);
  t.ok(unavailable <= Math.max(3, nRuns * unavailableShareMax), `${unavailable} found nobody to answer`);
}
