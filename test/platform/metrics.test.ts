import { readFile } from 'node:fs/promises';
import t from 'tap';
import { makeDataDir, startChild } from './child-platform.ts';
import { createClient } from './client.ts';

// A slow machine is not a failure.
t.setTimeout(300_000);

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  /** Served by the gateway of a fleet alone. */
  readonly isOfFleet: boolean;
}

/** The rows of the table in the page. */
async function readDocumented(): Promise<Metric[]> {
  const page = await readFile(new URL('../../docs/observability.md', import.meta.url), 'utf8');
  return [...page.matchAll(/^\| `(bandit_\w+)`( \(fleet\))? \| (\w+) \|([^|]*)\| ([^|]+) \|/gm)].map(
    ([, name, mark, type, labels]) => ({
      isOfFleet: mark !== undefined,
      name: name as string,
      type: type as string,
      labels: (labels as string)
        .split(',')
        .map((label) => label.trim())
        .filter((label) => label !== '')
        .sort(),
    }),
  );
}

interface Served {
  readonly type: string;
  readonly help: string;
  /** Label names of each sample; a histogram's `le` left out. */
  readonly labelSets: readonly string[];
}

function parseServed(text: string): Map<string, Served> {
  const served = new Map<string, { type: string; help: string; labelSets: string[] }>();
  for (const [, name, help] of text.matchAll(/^# HELP (bandit_\w+) (.*)$/gm))
    served.set(name as string, { type: '', help: help as string, labelSets: [] });
  for (const [, name, type] of text.matchAll(/^# TYPE (bandit_\w+) (\w+)$/gm))
    served.get(name as string)!.type = type as string;
  for (const [, sample, labels = ''] of text.matchAll(/^(bandit_\w+)(?:\{(.*)\})? \S+$/gm)) {
    const name = served.has(sample as string)
      ? (sample as string)
      : (sample as string).replace(/_(bucket|sum|count)$/, '');
    const names = [...labels.matchAll(/(\w+)="/g)]
      .map(([, label]) => label)
      .filter((label) => label !== 'le');
    served.get(name)!.labelSets.push(names.sort().join());
  }
  return served;
}

t.test('the page tells every metric that a running platform serves, and no other', async (t) => {
  // With everything on that a start may have.
  const platform = await startChild(t, await makeDataDir(t), { RETENTION_DAYS: '3650' });
  const client = createClient(platform.url, platform.apiKey as string);
  const experimentId = await client.activate({
    name: 'Measured',
    algorithm: 'THOMPSON_SAMPLING',
    treatments: [
      { name: 'A', config: { content: 'a' } },
      { name: 'B', config: { content: 'b' } },
    ],
  });
  const assigned = await client.track('POST', '/assignments', { experimentId, userId: 'user_secret' });
  const event = { assignmentId: assigned.body.data.assignmentId, eventType: 'CONVERSION' };
  t.equal((await client.track('POST', '/events', event)).status, 201);
  t.equal((await client.track('POST', '/events', event)).status, 409);
  await client.manage('GET', '/nowhere/user_secret');

  const text = await (await fetch(`${platform.url}/metrics`)).text();
  const served = parseServed(text);
  const documented = await readDocumented();
  t.strictSame(
    [...served.keys()].filter((name) => !documented.some((one) => one.name === name)),
    [],
    'served and not in docs/observability.md: add its row',
  );
  t.strictSame(
    documented.filter(({ name, isOfFleet }) => !isOfFleet && !served.has(name)).map(({ name }) => name),
    [],
    'in docs/observability.md and not served',
  );
  t.equal(new Set(documented.map(({ name }) => name)).size, documented.length, 'each once');

  for (const { name, type, labels } of documented) {
    const found = served.get(name);
    if (found === undefined) continue;
    t.equal(found.type, type, `${name} is a ${type}`);
    t.match(found.help, /^[A-Z1].{8,}/, `${name} says what it is`);
    for (const names of new Set(found.labelSets)) t.equal(names, labels.join(), `labels of ${name}`);
    if (type === 'counter') t.match(name, /_total$/);
    t.notMatch(name, /_(ms|millis|milliseconds|minutes|kb|percent)(_|$)/, 'base units');
  }
  const withSamples = [...served].filter(([, { labelSets }]) => labelSets.length > 0);
  t.ok(withSamples.length > 30, `${withSamples.length} have samples to look at`);
  t.notMatch(text, /user_secret|nowhere|exp_\w{8}|@/, 'no user, no unknown path, no experiment');
  t.match(text, /^process_cpu_seconds_total/m);
  t.match(text, /^nodejs_eventloop_lag_p99_seconds/m);
  t.equal(await platform.stop('SIGTERM'), 0);
});
