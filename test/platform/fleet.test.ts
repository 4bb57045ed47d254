/** The README's five commands against several processes: base URL and credentials swapped, nothing else. */
import t from 'tap';
import { runFiveCommands } from './five-commands.ts';
import { testOn } from './kinds.ts';

// A slow machine is not a failure.
t.setTimeout(500_000);

t.test("the README's five commands work on a fleet and move the share", (t) =>
  testOn(t, 'fleet', runFiveCommands),
);
