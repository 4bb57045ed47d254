/**
 * Makes one new treatment with AI: read and claim (one short transaction), ask the provider (none), add (one more).
 * The claim in `variant_requests` keeps it to one call per experiment over all processes; the adding transaction gives it
 * back and goes ahead only if it still held it. A crash in between leaves a claim that goes stale and nothing else.
 */
import { ApiError, type CreateTreatment, limits, type VariantStrategy } from '@bandit/contracts';
import {
  claimVariantRequest,
  type ExperimentWithTreatments,
  findExperiment,
  listStrategyOutcomes,
  listTreatmentSums,
  releaseVariantRequest,
  type StrategyOutcome,
  type TreatmentRow,
  type TreatmentSums,
  withCompany,
} from '@bandit/db';
import { type Author, type ChangeDeps, changeCompany } from '../change-company.ts';
import { addTreatmentIn } from '../experiments/add-treatment.ts';
import { checkTreatment } from '../experiments/check-treatment.ts';
import { experimentNotFound } from '../experiments/experiment-not-found.ts';
import { buildPrompt } from './build-prompt.ts';
import { chooseStrategy } from './choose-strategy.ts';
import type { AiDeps } from './connect-ai.ts';
import { contentKey } from './content-key.ts';
import { describePerformance } from './describe-performance.ts';
import { judgeStrategies } from './judge-strategies.ts';
import { parseVariant } from './parse-variant.ts';
import type { VariantWriter } from './providers/create-variant-writer.ts';
import { ProviderFailure } from './providers/provider-failure.ts';
import type { VariantPrompt } from './providers/variant-provider.ts';

export interface GenerateDeps extends ChangeDeps {
  /** Left out when no provider is configured. */
  readonly ai?: AiDeps | undefined;
}

export interface VariantWanted {
  readonly experimentId: string;
  /** undefined: drawn by what has worked in this company. */
  readonly strategy: VariantStrategy | undefined;
}

export interface VariantAdded {
  readonly treatment: TreatmentRow;
  readonly strategy: VariantStrategy;
}

interface Material extends ExperimentWithTreatments {
  readonly sums: readonly TreatmentSums[];
  readonly outcomes: readonly StrategyOutcome[];
}

/**
 * @param stop ends the provider's call; aborted when the process shuts down
 * @throws ApiError EXPERIMENT_NOT_FOUND, NO_TREATMENTS_TO_LEARN_FROM, TOO_MANY_TREATMENTS, AI_NOT_CONFIGURED or
 *   AI_BUSY, with nothing changed
 * @throws ProviderFailure, or the reason of `stop`; nothing is added then
 */
export async function generateVariant(
  deps: GenerateDeps,
  author: Author,
  wanted: VariantWanted,
  stop: AbortSignal,
): Promise<VariantAdded> {
  const token = Buffer.from(deps.randomBytes(16)).toString('base64url');
  const claim = { companyId: author.companyId, experimentId: wanted.experimentId, token };
  const { material, ai } = await readAndClaim(deps, author.companyId, claim);
  try {
    const strategy = wanted.strategy ?? chooseStrategy(judgeStrategies(material.outcomes), ai.rng);
    const accept = (answer: unknown) => toNewTreatment(answer, material);
    const treatment = await ai.writer.write(promptFor(material, strategy), accept, stop);
    return await addVariant(deps, author, claim, { treatment, strategy, writer: ai.writer });
  } catch (error) {
    await withCompany(deps.db, author.companyId, (trx) => releaseVariantRequest(trx, claim)).catch(
      // The claim goes stale by itself; what went wrong first is what the caller must hear.
      () => undefined,
    );
    throw error;
  }
}

interface Claim {
  readonly companyId: string;
  readonly experimentId: string;
  readonly token: string;
}

async function readAndClaim(
  deps: GenerateDeps,
  companyId: string,
  claim: Claim,
): Promise<{ material: Material; ai: AiDeps }> {
  return withCompany(deps.db, companyId, async (trx) => {
    const found = await findExperiment(trx, companyId, claim.experimentId);
    if (!found) throw experimentNotFound();
    checkTreatmentCount(found.treatments.length);
    if (!deps.ai) throw notConfigured();
    const sums = await listTreatmentSums(trx, companyId, claim.experimentId);
    const outcomes = await listStrategyOutcomes(trx, companyId, limits.aiStrategyOutcomesMax);
    const isClaimed = await claimVariantRequest(trx, { ...claim, staleMs: limits.aiRequestStaleMs });
    if (!isClaimed) throw busy();
    return { material: { ...found, sums, outcomes }, ai: deps.ai };
  });
}

function checkTreatmentCount(nLive: number): void {
  if (nLive === 0) {
    throw new ApiError(
      'NO_TREATMENTS_TO_LEARN_FROM',
      'the experiment has no live treatments; at least 1 is needed to learn from',
    );
  }
  if (nLive >= limits.treatmentsLiveMax) {
    throw new ApiError(
      'TOO_MANY_TREATMENTS',
      `the experiment has ${nLive} live treatments, the most allowed; remove one first`,
    );
  }
}

function promptFor({ experiment, treatments, sums }: Material, strategy: VariantStrategy): VariantPrompt {
  const reward = experiment.algorithm_config.reward === 'numeric' ? 'numeric' : 'binary';
  const sumsOf = new Map(sums.map((sum) => [sum.treatmentId, sum]));
  const performance = describePerformance(
    treatments.map(({ id }) => sumsOf.get(id)),
    reward,
  );
  return buildPrompt({
    experimentName: experiment.name,
    experimentDescription: experiment.description ?? undefined,
    contentType: experiment.content_type,
    reward,
    strategy,
    treatments: treatments.map(({ name, config, is_control: isControl }, k) => {
      return { name, content: config.content, isControl, ...performance[k]! };
    }),
  });
}

function toNewTreatment(answer: unknown, { experiment, treatments }: Material): CreateTreatment {
  const contentType = experiment.content_type;
  const treatment = parseVariant(answer, contentType, (candidate) =>
    checkTreatment(contentType, candidate, 'the variant'),
  );
  if (isDuplicate(treatment, { experiment, treatments })) throw duplicate(true);
  return treatment;
}

function isDuplicate(
  treatment: CreateTreatment,
  { experiment, treatments }: ExperimentWithTreatments,
): boolean {
  const key = (content: string) => contentKey(experiment.content_type, content);
  const own = key(treatment.config.content);
  return treatments.some(({ config }) => key(config.content) === own);
}

/** Everything is looked at again: the experiment and its treatments may have changed during the call. */
function addVariant(
  deps: GenerateDeps,
  author: Author,
  claim: Claim,
  made: { treatment: CreateTreatment; strategy: VariantStrategy; writer: VariantWriter },
): Promise<VariantAdded> {
  const { treatment, strategy, writer } = made;
  return changeCompany(deps, author, async (trx) => {
    const isOurs = await releaseVariantRequest(trx, claim);
    if (!isOurs) throw busy();
    const found = await findExperiment(trx, author.companyId, claim.experimentId);
    if (!found) throw experimentNotFound();
    if (isDuplicate(treatment, found)) throw duplicate(false);
    const wanted = { experimentId: claim.experimentId, treatment, strategy };
    const { result, note } = await addTreatmentIn(trx, deps, author, wanted);
    const details = { ...note?.details, strategy, provider: writer.providerName, model: writer.model };
    return {
      result: { treatment: result, strategy },
      note: { action: 'treatment.generate', target: result.id, details },
    };
  });
}

function duplicate(isRetryable: boolean): ProviderFailure {
  return new ProviderFailure('answer-duplicate', { isRetryable });
}

function notConfigured(): ApiError {
  return new ApiError(
    'AI_NOT_CONFIGURED',
    'no AI provider is configured; the operator sets AI_BASE_URL, AI_API_KEY and AI_MODEL',
  );
}

function busy(): ApiError {
  return new ApiError(
    'AI_BUSY',
    'a variant is being generated for this experiment; at most 1 call at a time is allowed, try again later',
  );
}
