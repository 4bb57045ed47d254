import { unknownMetrics } from './metric-names.ts';
import type { Tree, Value } from './tree.ts';

const file = 'infra/prometheus/rules.yaml';
const handbook = 'docs/operations.md';
const severities = ['page', 'ticket'];

/** Alerts read metrics that exist, say how urgent they are and what to do, and that page has the place they name. */
export function checkAlerts(tree: Tree): string[] {
  const rules = rulesOf(tree);
  const recorded = recordedNames(tree);
  const anchors = tree.has(handbook) ? anchorsOf(tree.read(handbook)) : undefined;
  return rules.flatMap((rule) => {
    const name = `${file}: ${rule.alert ?? rule.record}`;
    const unknown = unknownMetrics(String(rule.expr), tree.metrics, recorded);
    const faults = unknown.map((metric) => `${name}: no code exports the metric ${metric}`);
    return rule.alert === undefined ? faults : [...faults, ...checkAlert(name, rule, anchors)];
  });
}

export function recordedNames(tree: Tree): Set<string> {
  return new Set(rulesOf(tree).flatMap((rule) => (rule.record === undefined ? [] : [rule.record])));
}

function rulesOf(tree: Tree): Value[] {
  const documents = tree.documentsUnder(file);
  return documents.flatMap(({ value }) => value.groups ?? []).flatMap((group) => group.rules ?? []);
}

function checkAlert(name: string, rule: Value, anchors: ReadonlySet<string> | undefined): string[] {
  const faults: string[] = [];
  if (!severities.includes(rule.labels?.severity))
    faults.push(`${name}: severity must be one of ${severities.join(', ')}, got ${rule.labels?.severity}`);
  if (!rule.annotations?.summary) faults.push(`${name}: a summary says what is wrong`);
  const runbook = String(rule.annotations?.runbook_url ?? '');
  const anchor = new RegExp(`^${handbook}#([a-z0-9-]+)$`).exec(runbook)?.[1];
  if (anchor === undefined) faults.push(`${name}: runbook_url must be ${handbook}#…, got "${runbook}"`);
  else if (anchors?.has(anchor) === false)
    faults.push(`${name}: ${handbook} has no heading with the anchor #${anchor}`);
  return faults;
}

/** As GitHub makes them from headings; and those set by hand. */
export function anchorsOf(markdown: string): Set<string> {
  const headings = [...markdown.matchAll(/^#{1,6}\s+(.+)$/gm)].map(([, text = '']) =>
    text
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );
  const byHand = [...markdown.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id = '']) => id);
  return new Set([...headings, ...byHand]);
}
