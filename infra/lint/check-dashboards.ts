import { recordedNames } from './check-alerts.ts';
import { unknownMetrics } from './metric-names.ts';
import type { Tree, Value } from './tree.ts';

/** Panels read metrics that exist from the data source that is provisioned, and say what they show. */
export function checkDashboards(tree: Tree): string[] {
  const sources = tree
    .documentsUnder('infra/grafana/provisioning/')
    .flatMap(({ value }) => value.datasources ?? []);
  const uids = new Set(sources.map((source) => source.uid));
  const recorded = recordedNames(tree);
  return tree.documentsUnder('infra/grafana/dashboards/').flatMap(({ file, value }) => {
    const panels: Value[] = value.panels ?? [];
    const ids = panels.map((panel) => panel.id);
    const faults = new Set(ids).size === ids.length ? [] : [`${file}: two panels have one id`];
    const shown = panels.filter((panel) => panel.type !== 'row');
    if (shown.length === 0) faults.push(`${file}: no panels`);
    return [
      ...faults,
      ...shown.flatMap((panel) => checkPanel(`${file}: ${panel.title}`, panel, uids, recorded, tree)),
    ];
  });
}

function checkPanel(
  name: string,
  panel: Value,
  uids: ReadonlySet<string>,
  recorded: ReadonlySet<string>,
  tree: Tree,
): string[] {
  const faults: string[] = [];
  if (!panel.description) faults.push(`${name}: a description says how to read it`);
  const targets: Value[] = panel.targets ?? [];
  if (targets.length === 0) faults.push(`${name}: no query`);
  for (const { datasource, expr } of targets) {
    if (!uids.has(datasource?.uid)) faults.push(`${name}: no data source ${datasource?.uid} is provisioned`);
    const expression = String(expr).replaceAll('$__rate_interval', '1m');
    for (const metric of unknownMetrics(expression, tree.metrics, recorded))
      faults.push(`${name}: no code exports the metric ${metric}`);
  }
  return faults;
}
