import { posix } from 'node:path';
import { isPinned } from './check-dockerfile.ts';
import { hasPasswordInUrl, isSecretName } from './secret-rules.ts';
import type { Document, Tree, Value } from './tree.ts';

const workloads = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'];
/** Past preStop a service takes up to 5 s. */
const graceSecondsMin = 10;

/** Every pod held to the same rules, and every name leads somewhere. @param documents all objects of one installation */
export function checkKubernetes(
  tree: Pick<Tree, 'has' | 'variables'>,
  documents: readonly Document[],
): string[] {
  const objects = documents.filter(({ value }) => value.kind !== 'Kustomization');
  const customizations = documents.filter(({ value }) => value.kind === 'Kustomization');
  return [
    ...objects.flatMap(({ file, value }) => [
      ...checkObject(file, value, objects, tree),
      ...(value.kind === 'Secret' ? [`${file}: a Secret stands in no file: refer to one by name`] : []),
    ]),
    ...customizations.flatMap(({ file, value }) => checkKustomization(file, value, tree)),
    ...checkPolicies(objects),
  ];
}

function checkObject(
  file: string,
  value: Value,
  objects: readonly Document[],
  tree: Pick<Tree, 'has' | 'variables'>,
): string[] {
  const name = `${file}: ${value.kind} ${value.metadata?.name}`;
  const label = (faults: readonly string[]) => faults.map((fault) => `${name}: ${fault}`);
  if (workloads.includes(value.kind)) {
    const pod = value.spec.template;
    const containers: Value[] = [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])];
    return label([
      ...checkPod(value),
      ...containers.flatMap((container) => [
        ...checkPodContainer(container, value.kind === 'Job'),
        ...checkPodEnvironment(container, tree.variables),
        ...checkArguments(container, tree),
      ]),
    ]);
  }
  return label(checkReferences(value, objects));
}

export function checkPod(workload: Value): string[] {
  const { spec, metadata } = workload.spec.template;
  const faults: string[] = [];
  if (spec.securityContext?.runAsNonRoot !== true) faults.push('securityContext.runAsNonRoot must be true');
  if (spec.securityContext?.seccompProfile?.type !== 'RuntimeDefault')
    faults.push('seccompProfile must be RuntimeDefault');
  if (spec.automountServiceAccountToken !== false) faults.push('automountServiceAccountToken must be false');
  if (spec.hostNetwork || spec.hostPID || spec.hostIPC) faults.push('it shares what is the host’s');
  if (workload.kind !== 'Job') {
    const labels = metadata?.labels ?? {};
    if (!isSubset(workload.spec.selector?.matchLabels, labels))
      faults.push('its selector does not match its own pods');
    if (!((spec.terminationGracePeriodSeconds ?? 30) >= graceSecondsMin))
      faults.push(`terminationGracePeriodSeconds must be at least ${graceSecondsMin}`);
    if (!spec.topologySpreadConstraints?.length)
      faults.push('topologySpreadConstraints keep a node from taking all');
  }
  return faults;
}

export function checkPodContainer(container: Value, runsOnce: boolean): string[] {
  const faults: string[] = [];
  const { securityContext: security = {}, resources = {} } = container;
  if (!isPinned(String(container.image))) faults.push(`image must name a version, got "${container.image}"`);
  if (security.allowPrivilegeEscalation !== false) faults.push('allowPrivilegeEscalation must be false');
  if (security.readOnlyRootFilesystem !== true) faults.push('readOnlyRootFilesystem must be true');
  if (!security.capabilities?.drop?.includes('ALL')) faults.push('capabilities must drop ALL');
  if (resources.limits?.memory === undefined) faults.push('resources.limits must bound memory');
  if (resources.requests?.cpu === undefined || resources.requests?.memory === undefined)
    faults.push('resources.requests must name cpu and memory');
  if (runsOnce) return faults;
  const probes = { startupProbe: '/livez', livenessProbe: '/livez', readinessProbe: '/readyz' };
  const ports = new Set<Value>(
    (container.ports ?? []).flatMap((port: Value) => [port.name, port.containerPort]),
  );
  for (const [probe, path] of Object.entries(probes)) {
    const { httpGet } = container[probe] ?? {};
    if (httpGet?.path !== path) faults.push(`${probe} must ask for ${path}`);
    else if (!ports.has(httpGet.port))
      faults.push(`${probe} asks port ${httpGet.port}, which is none of its own`);
  }
  return faults;
}

export function checkPodEnvironment(container: Value, known: ReadonlySet<string>): string[] {
  return (container.env ?? []).flatMap(({ name, value, valueFrom }: Value) => {
    const faults: string[] = [];
    if (!known.has(name)) faults.push(`the platform knows no variable ${name}`);
    if (isSecretName(name) && valueFrom?.secretKeyRef === undefined)
      faults.push(`${name} must come from a Secret by secretKeyRef`);
    if (value !== undefined && hasPasswordInUrl(String(value))) faults.push(`${name} has a password in it`);
    return faults;
  });
}

function checkArguments(container: Value, tree: Pick<Tree, 'has'>): string[] {
  return (container.args ?? [])
    .filter((argument: string) => argument.endsWith('.ts') && !tree.has(argument))
    .map((argument: string) => `runs ${argument}, which is not there`);
}

/** Services, budgets, autoscalers and routes point at something that is there. */
export function checkReferences(value: Value, objects: readonly Document[]): string[] {
  const pods = objects
    .filter(({ value: other }) => workloads.includes(other.kind))
    .map(({ value: other }) => other);
  const matching = (labels: Value) =>
    pods.filter((pod) => isSubset(labels, pod.spec.template.metadata?.labels));
  const find = (kind: string, name: string) =>
    objects.some(({ value: other }) => other.kind === kind && other.metadata?.name === name);
  if (value.kind === 'Service') {
    const ports = matching(value.spec.selector).flatMap(
      (pod) => pod.spec.template.spec.containers[0].ports ?? [],
    );
    const names = new Set(ports.flatMap((port: Value) => [port.name, port.containerPort]));
    return value.spec.ports
      .filter((port: Value) => !names.has(port.targetPort))
      .map((port: Value) => `no pod that it selects has the port ${port.targetPort}`);
  }
  if (value.kind === 'PodDisruptionBudget')
    return matching(value.spec.selector.matchLabels).length > 0 ? [] : ['it selects no pod'];
  if (value.kind === 'HorizontalPodAutoscaler') {
    const { kind, name } = value.spec.scaleTargetRef;
    const target = pods.find((pod) => pod.kind === kind && pod.metadata.name === name);
    if (target === undefined) return [`there is no ${kind} ${name}`];
    const isFixed = target.spec.replicas !== undefined && target.spec.replicas !== value.spec.minReplicas;
    return isFixed ? [`${kind} ${name} fixes replicas, which every apply would set back`] : [];
  }
  if (value.kind === 'HTTPRoute') return checkRoute(value, (name) => find('Service', name));
  return [];
}

function checkRoute(route: Value, hasService: (name: string) => boolean): string[] {
  return route.spec.rules.flatMap((rule: Value, i: number) => {
    const removed = (rule.filters ?? []).flatMap(
      (filter: Value) => filter.requestHeaderModifier?.remove ?? [],
    );
    const missing = (rule.backendRefs ?? [])
      .map((ref: Value) => ref.name)
      .filter((name: string) => !hasService(name));
    return [
      ...(removed.includes('x-user-email') ? [] : [`rule ${i + 1} lets x-user-email through`]),
      ...missing.map((name: string) => `rule ${i + 1} names the service ${name}, which is not there`),
    ];
  });
}

function checkKustomization(file: string, value: Value, tree: Pick<Tree, 'has' | 'variables'>): string[] {
  const literals: string[] = (value.configMapGenerator ?? []).flatMap((map: Value) => map.literals ?? []);
  const names = literals.map((literal) => literal.split('=')[0] ?? '');
  return [
    ...(value.resources ?? [])
      .filter((path: string) => !tree.has(posix.join(posix.dirname(file), path)))
      .map((path: string) => `${file}: ${path} is not there`),
    ...names
      .filter((name) => !tree.variables.has(name))
      .map((name) => `${file}: the platform knows no variable ${name}`),
    ...names.filter(isSecretName).map((name) => `${file}: ${name} is a secret: refer to a Secret by name`),
    ...(value.secretGenerator ? [`${file}: secretGenerator would keep secrets beside the code`] : []),
  ];
}

/** Nobody reaches anybody but by a rule, and each rule is about pods that exist. */
export function checkPolicies(objects: readonly Document[]): string[] {
  const policies = objects.filter(({ value }) => value.kind === 'NetworkPolicy');
  if (policies.length === 0) return [];
  const denies = policies.some(
    ({ value: { spec } }) =>
      Object.keys(spec.podSelector).length === 0 &&
      spec.policyTypes?.length === 2 &&
      spec.ingress === undefined &&
      spec.egress === undefined,
  );
  const names = new Set(
    objects
      .filter(({ value }) => workloads.includes(value.kind))
      .map(({ value }) => value.spec.template.metadata?.labels?.['app.kubernetes.io/name']),
  );
  const strangers = policies.flatMap(({ file, value }) => {
    const { matchLabels = {}, matchExpressions = [] } = value.spec.podSelector;
    const wanted = [
      matchLabels['app.kubernetes.io/name'],
      ...matchExpressions
        .filter(({ key }: Value) => key === 'app.kubernetes.io/name')
        .flatMap((e: Value) => e.values),
    ].filter((name) => name !== undefined);
    return wanted
      .filter((name) => !names.has(name))
      .map((name) => `${file}: NetworkPolicy ${value.metadata.name}: no pod is called ${name}`);
  });
  return denies
    ? strangers
    : [...strangers, `${policies[0]!.file}: no NetworkPolicy denies everything first`];
}

function isSubset(wanted: Value, labels: Value): boolean {
  const entries = Object.entries(wanted ?? {});
  return entries.length > 0 && entries.every(([key, value]) => labels?.[key] === value);
}
