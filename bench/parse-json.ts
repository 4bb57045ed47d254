/**
 * What reading a request body costs: the platform's strict parser beside JSON.parse, on bodies as they arrive (bytes).
 *
 *   node bench/parse-json.ts [--rounds 9]
 *
 * Prints the median over the rounds, in nanoseconds a body, and the ratio. The parsers take turns within a round, so that
 * a busy machine slows both.
 */
import { parseArgs } from 'node:util';
import { parseJson } from '@bandit/http';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '9' } } });
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1)
  throw new Error(`--rounds must be at least 1, got ${values.rounds}`);

const event = {
  assignmentId: `asgn_${'a'.repeat(80)}`,
  eventType: 'CONVERSION',
  value: 29.99,
  metadata: { product: 'premium-plan', page: '/pricing', position: 3 },
};
const assignment = {
  experimentId: 'exp_AQEBAQEBAQEBAQEBAQEBAQ',
  userId: 'user_4711',
  context: {
    deviceType: 'mobile',
    country: 'US',
    isReturning: true,
    nVisits: 12,
    hour: 17,
    referrer: 'search',
  },
};
const bodies = {
  'event, 200 bytes': event,
  'assignment, 200 bytes': assignment,
  'batch of 1,000 events': { events: Array.from({ length: 1_000 }, () => event) },
};

const parsers = {
  plain: (bytes: Buffer): unknown => JSON.parse(bytes.toString()),
  strict: (bytes: Buffer): unknown => parseJson(bytes),
};

for (const [name, body] of Object.entries(bodies)) {
  const bytes = Buffer.from(JSON.stringify(body));
  const repeats = Math.max(20, Math.round(20_000_000 / bytes.length));
  const times: Record<keyof typeof parsers, number[]> = { plain: [], strict: [] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const [which, parse] of Object.entries(parsers)) {
      const took = measure(parse, bytes, repeats);
      // The first round warms up.
      if (round > 0) times[which as keyof typeof parsers].push(took);
    }
  }
  const [plain, strict] = [median(times.plain), median(times.strict)];
  console.log(
    `${name} (${bytes.length} bytes): JSON.parse ${plain.toFixed(0)} ns, parseJson ${strict.toFixed(0)} ns, ` +
      `${(strict / plain).toFixed(2)} times as long`,
  );
}

function measure(parse: (bytes: Buffer) => unknown, bytes: Buffer, repeats: number): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < repeats; i += 1) parse(bytes);
  return Number(process.hrtime.bigint() - start) / repeats;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] as number;
}
