/**
 * Enforces what a machine can check of the house style (docs/style.md): sizes, names, exports, clocks and chance,
 * who may import whom, nothing left open. Prints one line a finding and exits 1 when there is any.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { findImportFaults } from './tidy/imports.ts';
import { findNameFaults } from './tidy/names.ts';
import { findSourceFaults } from './tidy/source.ts';

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\n')
  // A file that was deleted and not yet committed is still listed.
  .filter((file) => file !== '' && !file.includes('/vectors/') && existsSync(file));

const faults: string[] = [];
for (const file of files) {
  faults.push(...findNameFaults(file));
  if (!/\.(ts|js|mjs)$/.test(file)) continue;
  const text = readFileSync(file, 'utf8');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  faults.push(...findSourceFaults(file, text, source), ...findImportFaults(file, source));
}

for (const fault of faults) console.log(fault);
console.log(`tidy: ${files.length} files, ${faults.length} findings`);
process.exitCode = faults.length > 0 ? 1 : 0;
