import type { Test } from 'tap';
import type { RunningPlatform } from '../../platform/kinds.ts';
import { adminEmail, createFuzzClient } from '../fuzz-client.ts';
import { sendBytes } from './exchange.ts';
import { type HostileRequest, listHostileRequests } from './hostile-requests.ts';
import { judgeExchange } from './judge-exchange.ts';
import { createProbe } from './probe.ts';
import { listSpoofs } from './spoofs.ts';

const smuggled = 'An experiment that was smuggled in';
const nAtOnce = 8;
/** Within it the server itself gives up a request that is not whole. */
const patienceMs = 20_000;

/** Framing that deceives, targets that mislead, too much of everything: refused, and what comes next is not mixed up. */
export async function checkHostileBytes(t: Test, platform: RunningPlatform): Promise<void> {
  const client = createFuzzClient(platform.url);
  t.teardown(() => client.close());
  const probe = await createProbe(platform, client);
  const requests = listHostileRequests({
    session: headerLines(platform.sessionOf(adminEmail)),
    key: headerLines({ 'x-api-key': platform.apiKey }),
    smuggled,
  });
  for (let from = 0; from < requests.length; from += nAtOnce) {
    const group = requests.slice(from, from + nAtOnce);
    const judged = await Promise.all(
      group.map(async (one) => ({ ...one, faults: await tryOne(platform, one) })),
    );
    for (const { name, faults } of judged) t.strictSame(faults, [], name);
    t.strictSame(await probe.findMixups(), [], `none of ${group.length} reached another request`);
  }
  t.comment(`${platform.kind}: ${requests.length} hostile requests`);
  const experiments = await client.call('GET', '/experiments', platform.sessionOf(adminEmail));
  t.equal(experiments.success, true);
  t.notMatch(JSON.stringify(experiments), smuggled, 'nothing was smuggled in');
  // On the embedded default this machine may say who its user is; elsewhere nobody may.
  if (platform.kind === 'embedded') return;
  for (const { name, bytes } of listSpoofs(adminEmail)) {
    const seen = await sendBytes(platform.url, bytes, patienceMs);
    t.strictSame(judgeExchange(seen, { answersMax: 1, status: [400, 401] }), [], `spoofed by ${name}`);
  }
}

async function tryOne(
  { url }: RunningPlatform,
  { bytes, status, answersMax = 1, isHalf }: HostileRequest,
): Promise<string[]> {
  const seen = await sendBytes(url, Buffer.from(bytes, 'latin1'), isHalf === true ? 0 : patienceMs);
  return judgeExchange(seen, { answersMax, status });
}

function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}
