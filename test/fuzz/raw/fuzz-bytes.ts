import fc from 'fast-check';
import type { Test } from 'tap';
import type { RunningPlatform } from '../../platform/kinds.ts';
import { adminEmail } from '../fuzz-client.ts';
import { describeResult, type FuzzSettings } from '../fuzz-routes.ts';
import { sendBytes } from './exchange.ts';
import { judgeExchange } from './judge-exchange.ts';

/** One of so many requests of the whole fuzz: each takes a connection of its own. */
const requestsPerExchange = 10;
const exchangesMax = 20_000;
const timeLimitMs = 15_000;
const nAtOnce = 8;
/** For an answer to what may be a whole request or half of one. */
const patienceMs = 500;
/** A damaged request may well become a few whole ones. */
const answersMax = 12;

const places = fc.nat(5_000);
const pieces = fc.constantFrom(
  ...['\r\n', '\n', '\r', '\0', ' ', '\t', ':', ',', ';', '/', '?', '%', '#', '\x7f', '\xff', '\r\n\r\n'],
  ...['0\r\n\r\n', 'Transfer-Encoding: chunked\r\n', 'Content-Length: 3\r\n', 'Connection: close\r\n'],
  ...['Expect: 100-continue\r\n', 'Host: b\r\n', 'HTTP/1.1', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
);
const damage = fc.oneof(
  fc.record({ kind: fc.constant('insert' as const), at: places, piece: pieces }),
  fc.record({ kind: fc.constant('remove' as const), at: places, length: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('repeat' as const), at: places, length: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ kind: fc.constant('replace' as const), at: places, byte: fc.nat(255) }),
);
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

/** Whole requests whose bytes are damaged at random: cut, doubled, replaced, with pieces of HTTP put in. */
export async function fuzzBytes(t: Test, platform: RunningPlatform, settings: FuzzSettings): Promise<void> {
  const wholes = listWholes(platform);
  const drafts = fc.record({
    whole: fc.constantFrom(...wholes),
    damages: fc.array(damage, { minLength: 1, maxLength: 4 }),
  });
  const statuses = new Map<string, number>();
  const property = fc.asyncProperty(drafts, async ({ whole, damages }) => {
    const bytes = damages.reduce(applyDamage, whole);
    const seen = await sendBytes(platform.url, Buffer.from(bytes, 'latin1'), patienceMs);
    const status = seen.received.slice(9, 12) || 'none';
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const faults = judgeExchange(seen, { answersMax });
    if (faults.length > 0)
      throw new Error(
        `${faults.join('; ')}\nsent ${JSON.stringify(bytes)}\ngot ${seen.received.slice(0, 2_000)}`,
      );
  });
  const numRuns = Math.min(exchangesMax, Math.ceil(settings.requests / requestsPerExchange));
  const limit = settings.timeLimitMs === undefined ? {} : { interruptAfterTimeLimit: timeLimitMs };
  const results = await Promise.all(
    Array.from({ length: nAtOnce }, (_, i) =>
      fc.check(property, { seed: settings.seed + i, numRuns: Math.ceil(numRuns / nAtOnce), ...limit }),
    ),
  );
  for (const result of results) t.notOk(result.failed && result.counterexample, describeResult(result));
  const nRuns = results.reduce((sum, result) => sum + result.numRuns, 0);
  t.comment(`${platform.kind}: ${nRuns} exchanges, ${JSON.stringify(Object.fromEntries(statuses))}`);
  t.ok(nRuns >= Math.min(numRuns, 50), 'enough connections were opened');
}

function listWholes({ apiKey, sessionOf }: RunningPlatform): string[] {
  const key = `x-api-key: ${apiKey}\r\n`;
  const session = Object.entries(sessionOf(adminEmail))
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const json = 'Content-Type: application/json\r\n';
  const body = '{"experimentId":"exp_AAAAAAAAAAAAAAAAAAAAAA","userId":"user_1"}';
  const length = `Content-Length: ${body.length}\r\n`;
  const chunked = 'Transfer-Encoding: chunked\r\n';
  const chunks = `5\r\n${body.slice(0, 5)}\r\n${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`;
  return [
    `GET /experiments/unknown?a=b HTTP/1.1\r\nHost: a\r\n${session}\r\n`,
    `GET /assignments/unknown?userId=user_1 HTTP/1.1\r\nHost: a\r\n${key}\r\n`,
    `POST /assignments HTTP/1.1\r\nHost: a\r\n${key}${json}${length}\r\n${body}`,
    `POST /assignments HTTP/1.1\r\nHost: a\r\n${key}${json}${chunked}\r\n${chunks}`,
    `POST /events HTTP/1.1\r\nHost: a\r\n${key}${json}${length}\r\n${body}`,
    `PUT /experiments/unknown HTTP/1.1\r\nHost: a\r\n${session}${json}${chunked}\r\n${chunks}`,
    `DELETE /funnels/unknown HTTP/1.1\r\nHost: a\r\n${session}\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n`,
  ];
}

function applyDamage(bytes: string, one: Damage): string {
  const at = one.at % (bytes.length + 1);
  const [before, after] = [bytes.slice(0, at), bytes.slice(at)];
  if (one.kind === 'insert') return before + one.piece + after;
  if (one.kind === 'remove') return before + after.slice(one.length);
  if (one.kind === 'repeat') return before + after.slice(0, one.length) + after;
  return before + String.fromCharCode(one.byte) + after.slice(1);
}
