/** A supervisor in a process of its own, for a test that kills it: prints the pids of its processes once all are ready. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createInstanceTable } from '../instance-table.ts';
import { createSupervisor } from '../supervisor/create-supervisor.ts';
import { standInPlans } from './stand-in-plans.ts';

const table = createInstanceTable();
const folder = mkdtempSync(join(tmpdir(), 'bandit-test-'));
const plans = standInPlans({ assignment: 2, ingest: 1, learner: 1, management: 1 });
const supervisor = createSupervisor({
  plans,
  table,
  folder,
  log: pino({ level: 'silent' }),
  writeLine: () => undefined,
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
});
supervisor.start();
const look = setInterval(() => {
  if (Object.values(table.states()).some((state) => state !== 'ready')) return;
  clearInterval(look);
  console.log(JSON.stringify({ folder, pids: Object.values(supervisor.pids()) }));
}, 10);
