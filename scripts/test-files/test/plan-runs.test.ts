import t from 'tap';
import { planRuns, runPlan } from '../plan-runs.ts';

const texts: Readonly<Record<string, string>> = {
  'packages/bus/test/bus.test.ts': 'import t from "tap";',
  'services/ingest/test/load.test.ts': '/** Runs alone: it measures its own rate. */',
  'services/ingest/test/other.test.ts': `${'x'.repeat(1_001)}Runs alone: too late to declare`,
  'test/clusters/nats.test.ts': '',
  'test/credentials/fleet.test.ts': '',
  'test/degraded/slow.test.ts': '',
  'test/fleet/fleet.test.ts': '',
  'test/kill.test.ts': '',
  'test/processes/consistency.test.ts': '',
};
const files = Object.keys(texts);
const light = ['packages/bus/test/bus.test.ts', 'services/ingest/test/other.test.ts', 'test/kill.test.ts'];
const plan = planRuns(files, (file) => texts[file] as string);

t.test('files of heavy folders, of fleets and those that say so are heavy', async (t) => {
  t.strictSame(plan.light, light);
  t.strictSame(
    plan.heavy,
    files.filter((file) => !light.includes(file)),
  );
});

t.test('light files share the machine, heavy ones have it alone, and each runs once', async (t) => {
  const running = new Set<string>();
  let atOnce = 0;
  const run = async (file: string): Promise<string> => {
    running.add(file);
    if (plan.heavy.includes(file)) t.strictSame([...running], [file], `${file} runs alone`);
    atOnce = Math.max(atOnce, running.size);
    await new Promise((resolve) => setImmediate(resolve));
    running.delete(file);
    return file;
  };
  const ran = await runPlan(plan, 2, run);
  t.strictSame([...ran].sort(), files);
  t.strictSame(ran.slice(light.length), plan.heavy, 'heavy ones come last');
  t.equal(atOnce, 2);
});
