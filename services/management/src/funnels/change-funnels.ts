import {
  ApiError,
  type CreateFunnel,
  type FunnelStatus,
  limits,
  makeId,
  type UpdateFunnel,
} from '@bandit/contracts';
import {
  countFunnels,
  deleteFunnel as deleteRow,
  type FunnelWithSteps,
  findExperiments,
  findFunnel,
  insertFunnel,
  type RowChange,
  updateFunnel as writeChange,
} from '@bandit/db';
import { type Author, type ChangeDeps, changeCompany } from '../change-company.ts';

/** @throws ApiError UNKNOWN_EXPERIMENT_IN_FUNNEL or LIMIT_REACHED */
export function createFunnel(deps: ChangeDeps, author: Author, body: CreateFunnel): Promise<FunnelWithSteps> {
  const { companyId } = author;
  return changeCompany(deps, author, async (trx) => {
    if ((await countFunnels(trx, companyId)) >= limits.funnelsListMax) throw tooMany();
    const known = new Set(
      (await findExperiments(trx, companyId, body.experimentIds)).map((step) => step.experiment.id),
    );
    const unknown = body.experimentIds.findIndex((id) => !known.has(id));
    if (unknown >= 0) throw unknownExperiment(unknown);
    const id = makeId('funnel', deps.randomBytes(16));
    const row = { company_id: companyId, id, name: body.name, description: body.description ?? null };
    const funnel = await insertFunnel(trx, row, body.experimentIds);
    const details = { name: body.name, experimentIds: body.experimentIds };
    return {
      result: { funnel, experimentIds: body.experimentIds },
      note: { action: 'funnel.create', target: id, details },
    };
  });
}

/** @throws ApiError FUNNEL_NOT_FOUND or INVALID_TRANSITION */
export function updateFunnel(
  deps: ChangeDeps,
  author: Author,
  id: string,
  body: UpdateFunnel,
): Promise<FunnelWithSteps> {
  return changeCompany(deps, author, async (trx) => {
    const found = await findFunnel(trx, author.companyId, id);
    if (!found) throw funnelNotFound();
    const change = planFunnelUpdate(found, body);
    if (Object.keys(change).length === 0) return { result: found };
    const funnel = await writeChange(trx, author.companyId, id, change);
    return {
      result: { funnel, experimentIds: found.experimentIds },
      note: { action: 'funnel.update', target: id, details: { ...change } },
    };
  });
}

/**
 * Takes the grouping away; its experiments and the rewards it brought stay.
 *
 * @throws ApiError MALFORMED_ID or FUNNEL_NOT_FOUND
 */
export function deleteFunnel(deps: ChangeDeps, author: Author, id: string): Promise<FunnelWithSteps> {
  if (!/^fnl_[A-Za-z0-9_-]*$/.test(id)) {
    throw new ApiError('MALFORMED_ID', 'a funnel id starts with fnl_ and has only A-Z a-z 0-9 _ -');
  }
  return changeCompany(deps, author, async (trx) => {
    const found = await findFunnel(trx, author.companyId, id);
    if (!found) throw funnelNotFound();
    await deleteRow(trx, author.companyId, id);
    const details = { name: found.funnel.name };
    return { result: found, note: { action: 'funnel.delete', target: id, details } };
  });
}

export function funnelNotFound(): ApiError {
  return new ApiError('FUNNEL_NOT_FOUND', 'funnel not found: the id names none of this company');
}

function planFunnelUpdate({ funnel }: FunnelWithSteps, body: UpdateFunnel): RowChange<'funnels'> {
  const change: RowChange<'funnels'> = {};
  if (body.name !== undefined && body.name !== funnel.name) change.name = body.name;
  if (body.description !== undefined && body.description !== funnel.description) {
    change.description = body.description;
  }
  const status = body.status?.toLowerCase() as FunnelStatus | undefined;
  if (status === undefined || status === funnel.status) return change;
  if (funnel.status === 'completed') {
    throw new ApiError('INVALID_TRANSITION', `status cannot change from completed to ${status}`);
  }
  change.status = status;
  return change;
}

function unknownExperiment(index: number): ApiError {
  return new ApiError(
    'UNKNOWN_EXPERIMENT_IN_FUNNEL',
    `experimentIds[${index}] names no experiment of this company`,
  );
}

const tooMany = () =>
  new ApiError('LIMIT_REACHED', `this company has ${limits.funnelsListMax} funnels, the most allowed`);
