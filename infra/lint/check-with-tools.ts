import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { checkKubernetes } from './check-kubernetes.ts';
import type { Tree } from './tree.ts';

export interface ToolReport {
  readonly checked: string[];
  readonly notChecked: string[];
  readonly faults: string[];
}

const timeoutMs = 60_000;

/** What the programs themselves say of their files, where they are installed. */
export function checkWithTools(tree: Tree, mustHaveStores: boolean): ToolReport {
  const report: ToolReport = { checked: [], notChecked: [], faults: [] };
  checkNats(tree, report, mustHaveStores);
  const tools: [program: string, what: string, ...args: string[]][] = [
    ['promtool', 'alert rules', 'check', 'rules', 'infra/prometheus/rules.yaml'],
    ['promtool', 'alerts on made-up series', 'test', 'rules', 'infra/prometheus/rules.test.yaml'],
    ['promtool', 'scrape settings', 'check', 'config', '--syntax-only', 'infra/prometheus/prometheus.yaml'],
    ['haproxy', 'gateway', '-c', '-q', '-f', 'infra/gateway/haproxy.cfg'],
  ];
  for (const [program, what, ...args] of tools) {
    const result = run(tree, program, args);
    judge(report, program, what, result);
  }
  checkOverlays(tree, report);
  return report;
}

interface RunResult {
  readonly isThere: boolean;
  readonly isRight: boolean;
  readonly output: string;
  readonly stdout: string;
}

function run(tree: Tree, program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): RunResult {
  const result = spawnSync(program, args, {
    cwd: tree.root,
    encoding: 'utf8',
    timeout: timeoutMs,
    maxBuffer: 64 * 1_048_576,
    env: { ...process.env, ...env },
  });
  const isThere = (result.error as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT';
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim();
  return { isThere, isRight: result.status === 0, output, stdout: result.stdout ?? '' };
}

function judge(
  report: ToolReport,
  program: string,
  what: string,
  { isThere, isRight, output }: RunResult,
): boolean {
  if (!isThere) report.notChecked.push(`${what}: ${program} is not installed here`);
  else if (isRight) report.checked.push(`${program}: ${what}`);
  else report.faults.push(`${program}: ${what}: ${output}`);
  return isThere && isRight;
}

/** 2.9 and earlier refuse `sync_interval`: there the rest is checked, and that is said. */
function checkNats(tree: Tree, report: ToolReport, mustHave: boolean): void {
  const version = run(tree, 'nats-server', ['--version']);
  const [, major = '0', minor = '0'] = /v(\d+)\.(\d+)/.exec(version.output) ?? [];
  if (!version.isThere && mustHave)
    report.faults.push('nats.conf: CI_REQUIRE_STORES=1, but nats-server is not installed');
  const isOld = version.isThere && Number(major) * 100 + Number(minor) < 210;
  const dir = mkdtempSync(join(tmpdir(), 'bandit-lint-'));
  try {
    const names = new Set<string>();
    for (const name of ['nats.conf', 'nats-cluster.conf']) {
      const text = tree.read(`infra/nats/${name}`);
      for (const [, variable = ''] of text.matchAll(/\$(NATS_\w+)/g)) names.add(variable);
      if (name === 'nats.conf' && !/^\s*sync_interval: always$/m.test(text))
        report.faults.push('infra/nats/nats.conf: sync_interval must be always');
      writeFileSync(join(dir, name), isOld ? text.replace(/^\s*sync_interval: .*$/m, '') : text);
    }
    const env = Object.fromEntries([...names].map((name) => [name, `p${name.toLowerCase()}`]));
    for (const name of ['nats.conf', 'nats-cluster.conf'])
      judge(report, 'nats-server', name, run(tree, 'nats-server', ['-t', '-c', join(dir, name)], env));
    if (isOld)
      report.notChecked.push(`sync_interval of nats.conf: nats-server ${major}.${minor} does not know it`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What would be applied, held to the same rules as the files it is made of. */
function checkOverlays(tree: Tree, report: ToolReport): void {
  for (const overlay of globSync('infra/kubernetes/overlays/*', { cwd: tree.root })) {
    const result = run(tree, 'kubectl', ['kustomize', overlay]);
    if (!judge(report, 'kubectl kustomize', overlay, result)) continue;
    const documents = parseAllDocuments(result.stdout).map((document) => ({
      file: overlay,
      value: document.toJS(),
    }));
    report.faults.push(...checkKubernetes(tree, documents));
  }
}
