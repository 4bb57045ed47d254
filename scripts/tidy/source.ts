/** What stands inside a source file: lengths, exports, clocks and chance, things left open, paths of one machine. */
import ts from 'typescript';

const sourceLinesMax = 400;
const testLinesMax = 600;
const functionLinesMax = 60;
/** Where the clock and chance of the real world may enter. */
const edges = [
  /main\.ts$/,
  /^infra\//,
  /^bench\//,
  /^scripts\//,
  /^chaos\//,
  /clock\.ts$/,
  /(^|\/)test\//,
  /\/testing(\/|\.ts$)/,
];
const machinePaths = new RegExp(`/(${['w' + 'ork', 'ro' + 'ot', 'fa' + 'rm'].join('|')})/[a-z.]`);

export function findSourceFaults(file: string, text: string, source: ts.SourceFile): string[] {
  const isTest = /(^|\/)test\//.test(file);
  const lines = text.split('\n').length - 1;
  const most = isTest ? testLinesMax : sourceLinesMax;
  const faults: string[] = [];
  if (lines > most) faults.push(`${file}: ${lines} lines, at most ${most}`);
  if (/\b(TODO|FIXME)\b(?! \(#\d+\))/.test(text) && !file.startsWith('scripts/')) {
    faults.push(`${file}: something is left open without an issue number`);
  }
  if (machinePaths.test(text)) faults.push(`${file}: a path of one machine`);
  visit(source, (node) => faults.push(...judge(file, source, node, isTest)));
  return faults;
}

function visit(node: ts.Node, each: (node: ts.Node) => void): void {
  each(node);
  node.forEachChild((child) => visit(child, each));
}

function judge(file: string, source: ts.SourceFile, node: ts.Node, isTest: boolean): string[] {
  const at = (): string => `${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
  if (ts.isExportAssignment(node)) return [`${at()}: exports are named, never default`];
  if (!isTest && isFunction(node)) {
    const length = lineSpan(source, node);
    if (length > functionLinesMax)
      return [`${at()}: a function of ${length} lines, at most ${functionLinesMax}`];
  }
  if (!edges.some((edge) => edge.test(file)) && readsWorld(node)) {
    return [`${at()}: time and chance are arguments, got ${node.getText().slice(0, 40)}`];
  }
  return [];
}

function isFunction(node: ts.Node): boolean {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isArrowFunction(node) ||
    ts.isFunctionExpression(node) ||
    ts.isConstructorDeclaration(node)
  );
}

function lineSpan(source: ts.SourceFile, node: ts.Node): number {
  const line = (position: number): number => source.getLineAndCharacterOfPosition(position).line;
  return line(node.getEnd()) - line(node.getStart()) + 1;
}

function readsWorld(node: ts.Node): boolean {
  if (ts.isNewExpression(node))
    return node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0;
  if (!ts.isCallExpression(node)) return false;
  return ['Date.now', 'Math.random'].includes(node.expression.getText());
}
