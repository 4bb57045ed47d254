import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';

const folder = new URL('../src/migrations/', import.meta.url);
/** Up to here no other version was ever installed anywhere. */
const firstRelease = '0007';

/**
 * What takes something away from the version before, which runs beside this one during a roll-out. Something that no
 * released version uses any more may go: such a line says `contract:` and which version used it last. What a function does
 * later, by `execute format(…)`, is its own test's matter.
 */
const takesAway =
  /\b(drop\s+(function|index|view|trigger|constraint|column|type)|rename\s+(to|column)|alter\s+column\s+\w+\s+(type|set\s+not\s+null)|revoke\b)/i;

t.test('a migration adds, and takes nothing away from the version before', async (t) => {
  const files = readdirSync(folder).filter((name) => /^\d{4}-/.test(name) && name > `${firstRelease}~`);
  t.ok(files.length > 0);
  for (const file of files) {
    const lines = readFileSync(new URL(file, folder), 'utf8').split('\n');
    const faults = lines.filter(
      (line) => takesAway.test(line) && !/from public\b|contract:|execute format\(/.test(line),
    );
    t.strictSame(faults, [], file);
  }
});

t.test('the check bites', async (t) => {
  for (const statement of [
    'alter table events drop column value',
    'alter table events rename column value to reward',
    'alter table events alter column value type numeric',
    'drop function accept_events_v1',
    'revoke select on events from bandit_app',
  ])
    t.match(statement, takesAway);
});
