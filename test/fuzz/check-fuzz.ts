import type { Test } from 'tap';
import { type Kind, type RunningPlatform, testOn } from '../platform/kinds.ts';
import { checkAfterwards } from './check-afterwards.ts';
import { platformToken } from './fuzz-client.ts';
import { fuzzRoutes, readFuzzSettings } from './fuzz-routes.ts';
import { checkHostileBytes } from './raw/check-hostile-bytes.ts';
import { checkSlowSockets } from './raw/check-slow-sockets.ts';
import { fuzzBytes } from './raw/fuzz-bytes.ts';

/** For a busy machine, beside the time of the requests themselves; a request that hangs is cut by the client long before. */
const baseTimeoutMs = 300_000;
const requestTimeoutMs = 50;

/** All that may come in on the port of a platform of this kind. */
export function checkFuzz(t: Test, kind: Kind, nClients: number): void {
  const settings = readFuzzSettings(nClients);
  t.setTimeout(baseTimeoutMs + settings.requests * requestTimeoutMs);
  const env = { PLATFORM_TOKEN: platformToken };
  void t.test('whatever comes in', (t) =>
    testOn(
      t,
      kind,
      async (t, platform) => {
        await t.test('no request gets a 5xx that was not decided, every answer keeps the envelope', (t) =>
          fuzzRoutes(t, platform, settings),
        );
        await t.test('bytes that deceive are refused and reach nothing', (t) =>
          checkHostileBytes(t, platform),
        );
        await t.test('damaged bytes get an answer of one piece or none', (t) =>
          fuzzBytes(t, platform, settings),
        );
        await t.test('who sends slowly is cut, and holds up nobody', (t) => checkSlowSockets(t, platform));
        await t.test('afterwards the platform is ready and still learns', (t) =>
          checkAfterwards(t, platform),
        );
        t.comment(complaintsOf(platform));
      },
      { env },
    ),
  );
}

/** What the platform logged above `info`, for whoever looks into a failure or a 503. */
function complaintsOf(platform: RunningPlatform): string {
  const lines = platform.output().split('\n');
  return lines
    .filter((line) => /"level":[456]0/.test(line))
    .slice(-linesMax)
    .join('\n');
}

const linesMax = 30;
