/**
 * Checks what no compiler reads: compose, Kubernetes, Dockerfile, alert rules, dashboards and the stores' settings, against
 * each other and against the code. Prints a line a finding, says what it could not check for want of a tool, and exits 1
 * when there is any finding. With CI_REQUIRE_STORES=1 a missing nats-server is a finding.
 *
 *   node infra/lint/main.ts
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkAlerts } from './check-alerts.ts';
import { checkCompose } from './check-compose.ts';
import { checkDashboards } from './check-dashboards.ts';
import { checkDockerfile } from './check-dockerfile.ts';
import { checkKubernetes } from './check-kubernetes.ts';
import { checkWithTools } from './check-with-tools.ts';
import { openTree } from './tree.ts';

const tree = openTree(fileURLToPath(new URL('../../', import.meta.url)));
const faults = [
  ...tree.unreadable,
  ...checkDockerfile(tree),
  ...checkCompose(tree),
  ...checkKubernetes(tree, tree.documentsUnder('infra/kubernetes/')),
  ...checkAlerts(tree),
  ...checkDashboards(tree),
];
const withTools = checkWithTools(tree, process.env.CI_REQUIRE_STORES === '1');
faults.push(...withTools.faults);
if (!existsSync(new URL('../../docs/operations.md', import.meta.url)))
  withTools.notChecked.push('the anchors of runbooks: docs/operations.md is not there');

for (const what of withTools.notChecked) console.log(`NOT CHECKED: ${what}`);
for (const what of withTools.checked) console.log(`checked by ${what}`);
for (const fault of faults) console.log(fault);
console.log(`lint of infra: ${tree.nDocuments} documents, ${faults.length} findings`);
process.exitCode = faults.length > 0 ? 1 : 0;
