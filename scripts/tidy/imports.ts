/** Who may import whom: core and contracts below, middle packages beside each other, then process, services on top. */
import ts from 'typescript';

const bottom = new Set(['core', 'contracts']);
/** Puts middle packages together: a process of the platform. Services and launchers stand on it. */
const assembly = 'process';
const services = new Set(['assignment', 'ingest', 'management']);
const packageOfFolder: Readonly<Record<string, string>> = { 'bandit-core': 'core' };

export function findImportFaults(file: string, source: ts.SourceFile): string[] {
  const match = /^(packages|services)\/([^/]+)\/(src|test)\//.exec(file);
  if (match === null) return [];
  const [, layer, folder, part] = match;
  const own = packageOfFolder[folder ?? ''] ?? folder ?? '';
  const faults: string[] = [];
  for (const target of importsOf(source)) {
    const fault = part === 'test' ? undefined : judge(layer ?? '', own, target);
    if (fault !== undefined) faults.push(`${file}: imports ${target}: ${fault}`);
    if (target.startsWith('.') && !/\.(ts|js|json|mjs)$/.test(target)) {
      faults.push(`${file}: relative imports end in .ts, got ${target}`);
    }
  }
  return faults;
}

function judge(layer: string, own: string, target: string): string | undefined {
  if (own === 'core' && !target.startsWith('.')) return 'bandit-core imports nothing from outside';
  const match = /^@bandit\/([a-z-]+)/.exec(target);
  if (match === null) return undefined;
  const other = match[1] ?? '';
  if (target.endsWith('/testing') || other === 'test-stores') return 'the test harness is for tests';
  if (services.has(other)) return 'services are never imported';
  if (own === 'contracts') return other === 'core' ? undefined : 'contracts stands on core alone';
  if (layer === 'packages' && own !== assembly && !bottom.has(other))
    return 'middle packages never import each other: pass it in';
  return undefined;
}

function importsOf(source: ts.SourceFile): string[] {
  const targets: string[] = [];
  source.forEachChild((node) => {
    const specifier =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node) ? node.moduleSpecifier : undefined;
    if (specifier !== undefined && ts.isStringLiteral(specifier)) targets.push(specifier.text);
  });
  return targets;
}
