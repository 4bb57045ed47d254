import { collectDefaultMetrics, Registry } from 'prom-client';

/** Of Prometheus itself, and what HAProxy's exporter is asked for. */
const foreign = ['up', 'ALERTS'];
const suffixes = /_(bucket|sum|count)$/;

/**
 * Names of metrics that the sources make: literals, and `bandit_x_${name}_y` with every word in quotes of the same file in
 * the place of the name. The latter lets a few through that do not exist, and misses none that does.
 */
export function collectMetricNames(sources: readonly string[]): Set<string> {
  const names = new Set<string>([...foreign, ...defaultNames()]);
  for (const source of sources) {
    for (const [, name = ''] of source.matchAll(/'(bandit_[a-z0-9_]+)'/g)) names.add(name);
    const words = [...source.matchAll(/'([a-z][a-z0-9_]*)'/g)].map(([, word]) => word);
    for (const [, start, end] of source.matchAll(/`(bandit_[a-z0-9_]*)\$\{\w+\}([a-z0-9_]*)`/g))
      for (const word of words) names.add(`${start}${word}${end}`);
  }
  return names;
}

function defaultNames(): string[] {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry.getMetricsAsArray().map((metric) => metric.name);
}

/** Metrics that a PromQL expression reads: names before `{`, `[` or an end, and those in a matcher on `__name__`. */
export function metricsOf(expression: string): string[] {
  const named = [...expression.matchAll(/__name__=~?"([^"]*)"/g)].flatMap(([, list = '']) => list.split('|'));
  const bare = expression
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
    .replace(/\{[^}]*\}/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ');
  const words = [...bare.matchAll(/(?<![0-9a-zA-Z_:.])[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\(|[a-zA-Z0-9_:])/g)].map(
    ([word]) => word,
  );
  return [...named, ...words.filter((word) => !operators.has(word))];
}

const operators = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan', 'e', 's', 'm', 'h', 'd']);

/** @param recorded names that recording rules make */
export function unknownMetrics(
  expression: string,
  known: ReadonlySet<string>,
  recorded: ReadonlySet<string>,
): string[] {
  return metricsOf(expression).filter(
    (name) => !known.has(name) && !known.has(name.replace(suffixes, '')) && !recorded.has(name),
  );
}
