/** Ids of everything that a company can have. */
export interface Ids {
  readonly experiment: string;
  readonly treatment: string;
  readonly assignment: string;
  readonly user: string;
  readonly funnel: string;
  readonly apiKey: string;
  readonly member: string;
}

export interface Call {
  readonly as: 'key' | 'session';
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: object;
}

/** Every route that takes an id, with `ids` in each place of its path, query, body and items; `own` are the caller's. */
export function listCalls(ids: Ids, own: Ids): Call[] {
  return [...keyCalls(ids, own), ...experimentCalls(ids, own), ...otherCalls(ids, own)];
}

function keyCalls({ experiment, treatment, assignment, user, funnel }: Ids, own: Ids): Call[] {
  const conversion = { assignmentId: assignment, eventType: 'CONVERSION' };
  const triplet = { experimentId: experiment, treatmentId: treatment, userId: user, eventType: 'CLICK' };
  const ownTriplet = { experimentId: own.experiment, treatmentId: own.treatment, userId: own.user };
  const post = (path: string, body: object): Call => ({ as: 'key', method: 'POST', path, body });
  return [
    post('/assignments', { experimentId: experiment, userId: user }),
    { as: 'key', method: 'GET', path: `/assignments/${experiment}?userId=${user}` },
    { as: 'key', method: 'HEAD', path: `/assignments/${experiment}?userId=${user}` },
    post('/events', conversion),
    post('/events', triplet),
    post('/events', { ...ownTriplet, eventType: 'CLICK', experimentId: experiment }),
    post('/events', { ...ownTriplet, eventType: 'CLICK', treatmentId: treatment }),
    post('/events/batch', { events: [conversion, triplet] }),
    post(`/funnels/${funnel}/reward`, { userId: user, value: 1 }),
  ];
}

function experimentCalls({ experiment, treatment }: Ids, own: Ids): Call[] {
  const call = (method: Call['method'], path: string, body?: object): Call => ({
    as: 'session',
    method,
    path,
    ...(body === undefined ? {} : { body }),
  });
  const added = { name: 'T', config: { content: 'c' } };
  return [
    call('GET', `/experiments/${experiment}`),
    call('PUT', `/experiments/${experiment}`, { name: 'taken' }),
    call('POST', `/experiments/${experiment}/refresh`),
    call('POST', `/experiments/${experiment}/treatments`, added),
    call('DELETE', `/experiments/${experiment}/treatments/${treatment}`),
    call('DELETE', `/experiments/${experiment}/treatments/${own.treatment}`),
    call('DELETE', `/experiments/${own.experiment}/treatments/${treatment}`),
    call('GET', `/experiments/${experiment}/results`),
    call('POST', `/experiments/${experiment}/generate-variant`),
    call('GET', `/events/${experiment}?limit=1000`),
    call('POST', '/funnels', { name: 'F', experimentIds: [own.experiment, experiment] }),
  ];
}

function otherCalls({ funnel, user, apiKey, member }: Ids, own: Ids): Call[] {
  const call = (method: Call['method'], path: string, body?: object): Call => ({
    as: 'session',
    method,
    path,
    ...(body === undefined ? {} : { body }),
  });
  return [
    call('GET', `/funnels/${funnel}`),
    call('PUT', `/funnels/${funnel}`, { name: 'taken' }),
    call('DELETE', `/funnels/${funnel}`),
    call('POST', `/funnels/${funnel}/reward`, { userId: user, value: 1 }),
    call('POST', `/funnels/${own.funnel}/reward`, { userId: user, value: 1 }),
    call('DELETE', `/api-keys/${apiKey}`),
    call('PUT', `/members/${member}`, { role: 'admin' }),
    call('DELETE', `/members/${member}`),
  ];
}
