/** File and folder names: kebab-case, and no folder whose name says nothing. */
const emptyNames = new Set(['utils', 'util', 'common', 'types', 'helpers', 'misc', 'lib']);
const kebab = /^\.?[a-z0-9]+([.-][a-z0-9]+)*$/;
const sources = /^(packages|services|infra|bench|chaos|scripts|test)\//;

export function findNameFaults(file: string): string[] {
  const faults: string[] = [];
  const parts = file.split('/');
  const folders = parts.slice(0, -1);
  for (const folder of folders) {
    if (emptyNames.has(folder)) faults.push(`${file}: folder \`${folder}\` says nothing about what it holds`);
  }
  const isCode = sources.test(file) && /\.(ts|js|mjs)$/.test(file);
  if (isCode && !kebab.test(parts.at(-1) ?? '')) faults.push(`${file}: file names are kebab-case`);
  const stem = (parts.at(-1) ?? '').replace(/\.(test\.)?ts$/, '');
  if (isCode && emptyNames.has(stem)) faults.push(`${file}: name the file after what it exports`);
  return faults;
}
