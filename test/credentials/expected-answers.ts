/** What a route asks for. */
export type Demand = 'assign' | 'events' | 'session' | 'admin' | 'session or events' | 'platform' | 'nothing';
/** `pass`: whatever comes after the credentials, but neither 401 nor 403. */
export type Verdict = 'pass' | 401 | 403;

/** Every operation of the API document. One that is missing here fails the test: somebody has to decide. */
export const demands: Readonly<Record<string, Demand>> = {
  createAssignment: 'assign',
  getAssignment: 'assign',
  headAssignment: 'assign',
  trackEvent: 'events',
  trackEventBatch: 'events',
  listEvents: 'session',
  listExperiments: 'session',
  createExperiment: 'session',
  getExperiment: 'session',
  updateExperiment: 'session',
  refreshExperiment: 'session',
  addTreatment: 'session',
  removeTreatment: 'session',
  generateVariant: 'session',
  getResults: 'session',
  createFunnel: 'session',
  listFunnels: 'session',
  getFunnel: 'session',
  updateFunnel: 'session',
  deleteFunnel: 'session',
  rewardFunnel: 'session or events',
  createApiKey: 'admin',
  listApiKeys: 'admin',
  revokeApiKey: 'admin',
  addMember: 'admin',
  listMembers: 'admin',
  updateMember: 'admin',
  removeMember: 'admin',
  listAuditLog: 'admin',
  eraseSubject: 'admin',
  createCompany: 'platform',
};

/** What credentials are good for, before any route is asked. */
export type Bearer =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'key'; readonly scopes: readonly string[] }
  | { readonly kind: 'member' | 'admin' | 'platform' };

export function expectedVerdict(demand: Demand, bearer: Bearer): Verdict {
  if (demand === 'nothing') return 'pass';
  if (demand === 'platform') return bearer.kind === 'platform' ? 'pass' : 401;
  if (bearer.kind === 'key') return keyVerdict(demand, bearer.scopes);
  if (bearer.kind !== 'member' && bearer.kind !== 'admin') return 401;
  if (demand === 'assign' || demand === 'events') return 401;
  return demand === 'admin' && bearer.kind === 'member' ? 403 : 'pass';
}

function keyVerdict(demand: Demand, scopes: readonly string[]): Verdict {
  const scope = demand === 'session or events' ? 'events' : demand;
  if (scope !== 'assign' && scope !== 'events') return 401;
  return scopes.includes(scope) ? 'pass' : 403;
}
