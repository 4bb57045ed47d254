/** Each rule catches what it is for: the files as they are have no finding, and one wrong thing in them has one. */
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { anchorsOf, checkAlerts } from '../check-alerts.ts';
import { checkComposeFile, checkExample } from '../check-compose.ts';
import { checkDashboards } from '../check-dashboards.ts';
import { checkBases, checkForms, checkUser, isPinned, parseDockerfile } from '../check-dockerfile.ts';
import { checkKubernetes } from '../check-kubernetes.ts';
import { collectMetricNames, metricsOf, unknownMetrics } from '../metric-names.ts';
import { type Document, openTree, type Tree, type Value } from '../tree.ts';

const tree = openTree(fileURLToPath(new URL('../../../', import.meta.url)));
/** Rules about names and shapes; that files are there is another's. */
const withFiles: Tree = { ...tree, has: (path) => path !== 'docs/operations.md' };

type Change = [what: string, change: (value: Value) => void, finding: RegExp];

t.test('compose', async (t) => {
  const compose = tree.documentsUnder('infra/compose/compose.yaml')[0]!.value;
  t.strictSame(checkComposeFile(structuredClone(compose), withFiles), []);
  const changes: Change[] = [
    ['root', (c) => (c.services.assignment.user = '0:0'), /assignment: user must be/],
    ['no user', (c) => delete c.services.redis.user, /redis: user must be/],
    ['a writable root', (c) => delete c.services.ingest.read_only, /ingest: read_only/],
    ['capabilities', (c) => delete c.services.nats.cap_drop, /nats: cap_drop/],
    ['new privileges', (c) => (c.services.gateway.security_opt = []), /gateway: security_opt/],
    ['no limits', (c) => delete c.services.learner.deploy, /learner: deploy\.resources\.limits/],
    ['latest', (c) => (c.services.postgres.image = 'postgres:latest'), /postgres: image must name a version/],
    ['no tag', (c) => (c.services.nats.image = 'nats'), /nats: image must name a version/],
    ['no probe', (c) => delete c.services.management.healthcheck, /management: healthcheck/],
    ['a shell probe', (c) => (c.services.redis.healthcheck.test = 'redis-cli ping'), /redis: healthcheck/],
    [
      'a probe that is off',
      (c) => (c.services.nats.healthcheck = { disable: true }),
      /nats: healthcheck is off/,
    ],
    ['a password', (c) => (c.services.postgres.environment.POSTGRES_PASSWORD = 'x'), /must come from \.env/],
    [
      'a password in a URL',
      (c) => (c.services.ingest.environment.LOG_LEVEL = 'x://u:pw@h'),
      /has a password in it/,
    ],
    [
      'an unknown variable',
      (c) => (c.services.ingest.environment.NATS_URI = 'x'),
      /knows no variable NATS_URI/,
    ],
    [
      'a published store',
      (c) => (c.services.redis.ports = ['127.0.0.1:6379:6379']),
      /a store publishes no port/,
    ],
    ['an open port', (c) => (c.services.grafana.ports = ['3001:3000']), /is open to everybody/],
    ['an unknown config', (c) => delete c.configs.nats, /nats: configs has no nats/],
    ['an unknown volume', (c) => delete c.volumes.redis, /redis: volumes has no redis/],
    ['an unknown network', (c) => delete c.networks.inside, /networks has no inside/],
    ['a store that is reached from outside', (c) => (c.networks.stores = {}), /must be internal/],
    ['an unknown host', (c) => delete c.services.redis, /services has no redis/],
    ['an unknown dependency', (c) => (c.services.gateway.depends_on.x = {}), /depends_on x/],
  ];
  expectEach(t, changes, (change) => {
    const changed = structuredClone(compose);
    change(changed);
    return checkComposeFile(changed, withFiles);
  });
  const missing = { ...withFiles, has: (path: string) => path !== 'infra/nats/nats.conf' };
  t.match(checkComposeFile(compose, missing), [/infra\/nats\/nats\.conf is not there/]);
  const script = { ...withFiles, has: (path: string) => path !== 'services/ingest/src/main.ts' };
  t.match(checkComposeFile(compose, script), [/ingest: runs/, /learner: runs/]);
});

t.test('the example of secrets', async (t) => {
  t.strictSame(checkExample(`a: \${X_PASSWORD:?} \${PORT:-1}`, 'X_PASSWORD=\nPORT=1\n'), []);
  t.match(checkExample(`a: \${X_PASSWORD:?}`, ''), [/X_PASSWORD is missing/]);
  t.match(checkExample('', 'OLD=1\n'), [/nothing uses OLD/]);
  t.match(checkExample(`a: \${X_PASSWORD:?}`, 'X_PASSWORD=hunter2\n'), [/X_PASSWORD has a value/]);
  t.match(checkExample(`a: \${X_PASSWORD:-easy}`, 'X_PASSWORD=\n'), [/must have no default/]);
});

t.test('Kubernetes', async (t) => {
  const documents = tree.documentsUnder('infra/kubernetes/');
  t.strictSame(checkKubernetes(withFiles, documents), []);
  const container = (d: Find) => d('Deployment', 'assignment').spec.template.spec.containers[0];
  const pod = (d: Find) => d('Deployment', 'learner').spec.template.spec;
  const changes: [string, (find: Find) => void, RegExp][] = [
    ['root', (d) => (pod(d).securityContext.runAsNonRoot = false), /learner: securityContext\.runAsNonRoot/],
    ['no seccomp', (d) => delete pod(d).securityContext.seccompProfile, /seccompProfile/],
    ['a token', (d) => delete pod(d).automountServiceAccountToken, /automountServiceAccountToken/],
    ['a short grace', (d) => (pod(d).terminationGracePeriodSeconds = 5), /terminationGracePeriodSeconds/],
    ['no spread', (d) => delete pod(d).topologySpreadConstraints, /topologySpreadConstraints/],
    ['the host', (d) => (pod(d).hostNetwork = true), /shares/],
    ['latest', (d) => (container(d).image = 'bandit:latest'), /image must name a version/],
    ['no memory limit', (d) => delete container(d).resources.limits, /bound memory/],
    ['no requests', (d) => delete container(d).resources.requests, /name cpu and memory/],
    ['no readiness', (d) => delete container(d).readinessProbe, /readinessProbe must ask/],
    [
      'liveness on stores',
      (d) => (container(d).livenessProbe.httpGet.path = '/readyz'),
      /livenessProbe must ask/,
    ],
    ['a foreign port', (d) => (container(d).startupProbe.httpGet.port = 'web'), /none of its own/],
    ['a writable root', (d) => (container(d).securityContext.readOnlyRootFilesystem = false), /readOnlyRoot/],
    ['escalation', (d) => delete container(d).securityContext.allowPrivilegeEscalation, /allowPrivilege/],
    ['capabilities', (d) => (container(d).securityContext.capabilities = {}), /capabilities/],
    [
      'a secret in a file',
      (d) => container(d).env.push({ name: 'JWT_SECRET', value: 'x' }),
      /by secretKeyRef/,
    ],
    ['an unknown variable', (d) => container(d).env.push({ name: 'PORTS', value: '1' }), /no variable PORTS/],
    ['a selector', (d) => (d('Deployment', 'ingest').spec.selector.matchLabels = { a: 'b' }), /selector/],
    ['a service', (d) => (d('Service', 'ingest').spec.selector = { a: 'b' }), /no pod that it selects/],
    ['a port', (d) => (d('Service', 'ingest').spec.ports[0].targetPort = 'web'), /has the port web/],
    [
      'a budget',
      (d) => (d('PodDisruptionBudget', 'learner').spec.selector.matchLabels = { a: 'b' }),
      /no pod/,
    ],
    [
      'a scale target',
      (d) => (d('HorizontalPodAutoscaler', 'ingest').spec.scaleTargetRef.name = 'x'),
      /no Deployment x/,
    ],
    ['fixed replicas', (d) => (d('Deployment', 'ingest').spec.replicas = 7), /fixes replicas/],
    [
      'a route',
      (d) => (d('HTTPRoute', 'bandit').spec.rules[0].backendRefs[0].name = 'x'),
      /names the service x/,
    ],
    ['a header', (d) => (d('HTTPRoute', 'bandit').spec.rules[1].filters = []), /lets x-user-email through/],
    ['an open network', (d) => (d('NetworkPolicy', 'deny-all').spec.egress = [{}]), /denies everything/],
    [
      'a policy',
      (d) =>
        (d('NetworkPolicy', 'allow-ai-provider').spec.podSelector.matchLabels['app.kubernetes.io/name'] =
          'x'),
      /called x/,
    ],
  ];
  expectEach(t, changes, (change) => {
    const changed = structuredClone(documents) as Document[];
    change(
      (kind, name) => changed.find(({ value }) => value.kind === kind && value.metadata.name === name)!.value,
    );
    return checkKubernetes(withFiles, changed);
  });
  const secret = { file: 'x.yaml', value: { kind: 'Secret', metadata: { name: 'x' }, stringData: {} } };
  t.match(checkKubernetes(withFiles, [...documents, secret]), [/a Secret stands in no file/]);
  const generated = {
    kind: 'Kustomization',
    resources: ['gone.yaml'],
    configMapGenerator: [{ literals: ['JWT_SECRET=x', 'NO=1'] }],
  };
  const faults = checkKubernetes({ ...withFiles, has: () => false }, [
    { file: 'a/k.yaml', value: generated },
  ]);
  t.match(faults, [/a\/gone\.yaml|gone\.yaml is not there/, /no variable NO/, /JWT_SECRET is a secret/]);
});

type Find = (kind: string, name: string) => Value;

t.test('Dockerfile', async (t) => {
  const faultsOf = (text: string) => {
    const instructions = parseDockerfile(text);
    return [...checkBases(instructions), ...checkForms(instructions), ...checkUser(instructions)];
  };
  const right =
    'ARG I=node:24.21.0-slim\nFROM $I AS a\nFROM $I AS b\nUSER 1000:1000\nHEALTHCHECK --interval=1s CMD ["x"]\nENTRYPOINT ["node"]\nCMD ["a"]\n';
  t.strictSame(faultsOf(right), []);
  t.match(faultsOf(right.replace('node:24.21.0-slim', 'node:latest')), [/FROM must name a version/, /FROM/]);
  t.match(faultsOf(right.replace('USER 1000:1000', '')), [/USER must be a number/]);
  t.match(faultsOf(right.replace('1000:1000', 'node')), [/USER must be a number/]);
  t.match(faultsOf(right.replace('1000:1000', '0')), [/USER must be a number/]);
  t.match(
    faultsOf(right.replace('FROM $I AS b\nUSER 1000:1000', 'USER 1000\nFROM a')),
    [/USER/],
    'of the last stage',
  );
  t.match(faultsOf(right.replace('CMD ["a"]', 'CMD node a')), [/CMD must be a list/]);
  t.match(faultsOf(right.replace('ENTRYPOINT ["node"]', 'ENTRYPOINT node')), [/ENTRYPOINT must be a list/]);
  t.match(faultsOf(right.replace('CMD ["x"]', 'CMD curl x')), [/HEALTHCHECK must be a list/]);
  t.match(faultsOf(right.replace(/HEALTHCHECK.*\n/, '')), [/a HEALTHCHECK must say/]);
  t.match(faultsOf(`${right}ADD https://x /x\n`), [/ADD/]);
  t.ok(isPinned(`x@sha256:${'a'.repeat(64)}`));
  t.notOk(isPinned('postgres:17'));
});

t.test('alerts', async (t) => {
  const rules = tree.documentsUnder('infra/prometheus/rules.yaml')[0]!.value;
  const check = (changed: Value, operations?: string) =>
    checkAlerts({
      ...tree,
      documentsUnder: () => [{ file: 'rules', value: changed }],
      has: () => operations !== undefined,
      read: () => operations ?? '',
    });
  t.strictSame(check(rules), []);
  const first = (r: Value) => r.groups[1].rules[0];
  const changes: Change[] = [
    [
      'a metric',
      (r) => (first(r).expr = 'rate(bandit_no_such_total[5m]) > 1'),
      /no code exports .*bandit_no_such_total/,
    ],
    ['a severity', (r) => (first(r).labels.severity = 'meh'), /severity must be/],
    ['a summary', (r) => delete first(r).annotations.summary, /a summary/],
    ['a runbook', (r) => (first(r).annotations.runbook_url = 'elsewhere'), /runbook_url must be/],
  ];
  expectEach(t, changes, (change) => {
    const changed = structuredClone(rules);
    change(changed);
    return check(changed);
  });
  const anchors = new Set(check(rules, '# Nothing\n').map((fault) => /#([a-z-]+)$/.exec(fault)?.[1]));
  t.ok(anchors.has('learner-lag'), 'a runbook that is not written is found');
  t.strictSame(
    check(rules, [...anchors].map((anchor) => `## ${anchor?.replaceAll('-', ' ')}`).join('\n')),
    [],
  );
  t.strictSame(
    [...anchorsOf('# The learner’s lag: what to do\n<a id="x-y"></a>')],
    ['the-learners-lag-what-to-do', 'x-y'],
  );
});

t.test('dashboards', async (t) => {
  t.strictSame(checkDashboards(tree), []);
  const shown = (panels: Value[]) => panels.find((panel) => panel.targets !== undefined);
  const changes: Change[] = [
    [
      'a metric',
      (p) => (shown(p).targets[0].expr = 'bandit_no_such'),
      /no code exports the metric bandit_no_such/,
    ],
    ['a source', (p) => (shown(p).targets[0].datasource.uid = 'x'), /no data source x/],
    ['a description', (p) => delete shown(p).description, /a description/],
    [
      'two of one id',
      (p) => (shown(p).id = p.find((other: Value) => other !== shown(p)).id),
      /two panels have one id/,
    ],
  ];
  expectEach(t, changes, (change) =>
    checkDashboards({
      ...tree,
      documentsUnder: (folder) => {
        const documents = structuredClone(tree.documentsUnder(folder)) as Document[];
        if (folder.includes('dashboards')) change(documents[0]!.value.panels);
        return documents;
      },
    }),
  );
});

t.test('metrics', async (t) => {
  const template = ['`bandit_b_$', '{name}_seconds`'].join('');
  const source = `new Counter({ name: 'bandit_a_total' }); gauge('lag', 'x'); ${template}`;
  const names = collectMetricNames([source]);
  for (const name of ['bandit_a_total', 'bandit_b_lag_seconds', 'process_start_time_seconds', 'up'])
    t.ok(names.has(name), name);
  t.notOk(names.has('bandit_b_other_seconds'));
  const expression =
    'histogram_quantile(0.99, sum by (le, job) (rate(bandit_a_total_bucket{route=~"/x.*",a="not_this"}[5m]))) > 1e3 and on (job) up == 1';
  t.strictSame(metricsOf(expression), ['bandit_a_total_bucket', 'up']);
  t.strictSame(metricsOf('max({__name__=~"bandit_x|bandit_y"})'), ['bandit_x', 'bandit_y']);
  t.strictSame(unknownMetrics(`${expression} or recorded:x or bandit_gone`, names, new Set(['recorded:x'])), [
    'bandit_gone',
  ]);
});

/** The change is one wrong thing; among the findings is the one that names it. */
function expectEach<A>(
  t: Test,
  changes: readonly [what: string, change: A, finding: RegExp][],
  findingsAfter: (change: A) => readonly string[],
): void {
  for (const [what, change, finding] of changes) {
    const findings = findingsAfter(change);
    t.ok(
      findings.some((found) => finding.test(found)),
      what,
      { findings },
    );
  }
}
