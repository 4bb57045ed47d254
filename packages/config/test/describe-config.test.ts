import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { describeConfig } from '../src/index.ts';

const path = new URL('../../../docs/configuration.md', import.meta.url);

t.test('docs/configuration.md is what the schema says (UPDATE_DOCS=1 writes it)', async (t) => {
  const page = readFileSync(path, 'utf8');
  const [introduction] = page.split('| variable |', 1);
  const expected = `${introduction}${describeConfig()}\n`;
  if (process.env.UPDATE_DOCS === '1') writeFileSync(path, expected);
  else t.equal(page, expected);
});

t.test('every variable has a row with a meaning', async (t) => {
  const rows = describeConfig().split('\n').slice(2);
  t.ok(rows.length >= 20);
  for (const row of rows) t.match(row, /^\| `[A-Z_]+` \| (`[^`]+`)? \| .{15,} \|$/);
});
