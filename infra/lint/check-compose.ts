import { posix } from 'node:path';
import { isPinned } from './check-dockerfile.ts';
import { hasPasswordInUrl, isSecretName } from './secret-rules.ts';
import type { Tree, Value } from './tree.ts';

const folder = 'infra/compose';
const file = `${folder}/compose.yaml`;
const example = `${folder}/.env.example`;
const stores = ['postgres', 'nats', 'redis'];

/** Every container held to the same rules, and every name in the file leads somewhere. */
export function checkCompose(tree: Tree): string[] {
  const compose = tree.documentsUnder(file)[0]?.value;
  if (compose === undefined) return [`${file}: not there`];
  const variables = tree.has(example) ? tree.read(example) : '';
  return [
    ...checkComposeFile(compose, tree),
    ...checkExample(tree.read(file), variables).map((fault) => `${example}: ${fault}`),
  ];
}

/** @param compose the parsed file */
export function checkComposeFile(compose: Value, tree: Pick<Tree, 'has' | 'variables'>): string[] {
  const services: [string, Value][] = Object.entries(compose.services ?? {});
  const faults = services.flatMap(([name, service]) =>
    [
      ...checkContainer(service),
      ...checkProbe(service),
      ...checkEnvironment(service, tree.variables),
      ...checkReferences(service, compose),
      ...checkPorts(name, service),
      ...checkCommand(service, tree),
    ].map((fault) => `${file}: ${name}: ${fault}`),
  );
  for (const [name, config] of Object.entries<Value>(compose.configs ?? {})) {
    const source = config.file === undefined ? undefined : posix.join(folder, config.file);
    if (source !== undefined && !tree.has(source))
      faults.push(`${file}: config ${name}: ${source} is not there`);
  }
  if (compose.networks?.stores?.internal !== true)
    faults.push(`${file}: the network of the stores must be internal`);
  return faults;
}

export function checkContainer(service: Value): string[] {
  const faults: string[] = [];
  const isRoot = !/^[1-9]\d*(:\d+)?$/.test(String(service.user ?? ''));
  if (isRoot && !service['x-runs-as-root'])
    faults.push(`user must be a number that is not root's, got ${service.user} (or x-runs-as-root says why)`);
  if (service.read_only !== true && !service['x-writable'])
    faults.push('read_only must be true (or x-writable says why not)');
  if (!service.cap_drop?.includes('ALL')) faults.push('cap_drop must hold ALL');
  if (!service.security_opt?.includes('no-new-privileges:true'))
    faults.push('security_opt must hold no-new-privileges:true');
  if (service.privileged) faults.push('privileged is never needed');
  const { memory, cpus } = service.deploy?.resources?.limits ?? {};
  if (memory === undefined || cpus === undefined)
    faults.push('deploy.resources.limits must bound memory and cpus');
  const image = String(service.image ?? '').replace(/\$\{\w+:-([^}]*)\}/g, '$1');
  if (!isPinned(image)) faults.push(`image must name a version, got "${image}"`);
  return faults;
}

/** A probe, or something that runs once and ends. */
function checkProbe(service: Value): string[] {
  const isOnce = service.restart === 'no' || String(service.restart).startsWith('on-failure');
  if (service.healthcheck?.disable === true)
    return isOnce ? [] : ['healthcheck is off, and it is meant to go on'];
  const test = service.healthcheck?.test;
  if (!Array.isArray(test) || test[0] !== 'CMD')
    return ['healthcheck.test must be a list that begins with CMD'];
  return [];
}

export function checkEnvironment(service: Value, known: ReadonlySet<string>): string[] {
  const entries = Object.entries<Value>(service.environment ?? {});
  const isOurs = String(service.image).startsWith('bandit:');
  return entries.flatMap(([name, value]) => {
    const text = String(value);
    const faults: string[] = [];
    if (isOurs && !known.has(name)) faults.push(`the platform knows no variable ${name}`);
    if (isSecretName(name) && !text.includes('${'))
      faults.push(`${name} must come from .env, not stand in the file`);
    else if (hasPasswordInUrl(text)) faults.push(`${name} has a password in it`);
    return faults;
  });
}

function checkReferences(service: Value, compose: Value): string[] {
  const faults: string[] = [];
  const need = (kind: string, name: string) => {
    if (compose[kind]?.[name] === undefined) faults.push(`${kind} has no ${name}`);
  };
  for (const config of service.configs ?? []) need('configs', config.source);
  for (const network of service.networks ?? []) need('networks', network);
  for (const volume of service.volumes ?? []) need('volumes', String(volume).split(':')[0] ?? '');
  for (const [name, { condition }] of Object.entries<Value>(service.depends_on ?? {})) {
    const other = compose.services[name];
    if (other === undefined) faults.push(`depends_on ${name}, which is not there`);
    else if (condition === 'service_healthy' && other.healthcheck?.test === undefined)
      faults.push(`waits for ${name} to be healthy, which has no probe`);
  }
  for (const [, host] of JSON.stringify(service.environment ?? {}).matchAll(/@([a-z][\w-]*):\d+/g))
    need('services', host ?? '');
  return faults;
}

export function checkPorts(name: string, service: Value): string[] {
  const ports: string[] = (service.ports ?? []).map(String);
  if (stores.includes(name) && ports.length > 0) return ['a store publishes no port'];
  return ports
    .filter((port) => !/^(127\.0\.0\.1|\$\{\w+:-127\.0\.0\.1\}):/.test(port))
    .map((port) => `port ${port} is open to everybody: bind it to 127.0.0.1 unless .env says otherwise`);
}

function checkCommand(service: Value, tree: Pick<Tree, 'has'>): string[] {
  if (!String(service.image).startsWith('bandit:')) return [];
  const script = service.command?.[0];
  return tree.has(String(script)) ? [] : [`runs ${script}, which is not there`];
}

/** Every variable of the file is in the example, and no secret has a value there. */
export function checkExample(compose: string, text: string): string[] {
  const used = new Set([...compose.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name));
  const given = new Map(
    [...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  const optional = new Set(['BANDIT_VERSION']);
  return [
    ...[...used]
      .filter((name) => !given.has(name) && !optional.has(name))
      .map((name) => `${name} is missing`),
    ...[...given.keys()].filter((name) => !used.has(name)).map((name) => `nothing uses ${name}`),
    ...[...given]
      .filter(([name, value]) => isSecretName(name) && value !== '')
      .map(([name]) => `${name} has a value`),
    ...[...compose.matchAll(/\$\{(\w+):-[^}]+\}/g)]
      .filter(([, name = '']) => isSecretName(name))
      .map(([, name]) => `${name} must have no default in compose.yaml`),
  ];
}
