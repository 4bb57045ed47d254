import {
  ApiError,
  type ContentType,
  type CreateExperiment,
  type CreateTreatment,
  limits,
  makeId,
} from '@bandit/contracts';
import {
  countExperiments,
  type ExperimentWithTreatments,
  insertExperiment,
  insertTreatments,
  partitionOfExperiment,
} from '@bandit/db';
import { type Author, type ChangeDeps, changeCompany } from '../change-company.ts';
import { checkAlgorithmConfig } from './algorithm-config.ts';
import { checkTreatment } from './check-treatment.ts';
import { newTreatmentRow } from './new-treatment-row.ts';

/**
 * Creates an experiment in status draft, with its first treatments: all of it or nothing.
 *
 * @throws ApiError VALIDATION_ERROR, CONTROL_EXISTS or LIMIT_REACHED
 */
export async function createExperiment(
  deps: ChangeDeps,
  author: Author,
  body: CreateExperiment,
): Promise<ExperimentWithTreatments> {
  const { algorithm, contentType = 'PLAIN_TEXT' } = body;
  const given = body.treatments ?? [];
  checkAlgorithmConfig(algorithm, body.algorithmConfig ?? {});
  checkTreatments(contentType, given);

  const id = makeId('experiment', deps.randomBytes(16));
  return changeCompany(deps, author, async (trx) => {
    if ((await countExperiments(trx, author.companyId)) >= limits.experimentsListMax) throw tooMany();
    const experiment = await insertExperiment(trx, {
      company_id: author.companyId,
      id,
      partition: partitionOfExperiment(id),
      name: body.name,
      description: body.description ?? null,
      algorithm,
      algorithm_config: JSON.stringify(body.algorithmConfig ?? {}),
      content_type: contentType,
      assignment_ttl: body.assignmentTtl ?? limits.assignmentTtlSecondsDefault,
    });
    const treatments = await insertTreatments(
      trx,
      given.map((treatment, position) =>
        newTreatmentRow(deps, experiment, treatment, { position, isOriginal: true }),
      ),
    );
    const details = { name: body.name, algorithm, contentType, nTreatments: treatments.length };
    return {
      result: { experiment, treatments },
      note: { action: 'experiment.create', target: id, details },
    };
  });
}

function checkTreatments(contentType: ContentType, treatments: readonly CreateTreatment[]): void {
  for (const [index, treatment] of treatments.entries()) {
    checkTreatment(contentType, treatment, `treatments[${index}]`);
  }
  const nControls = treatments.filter((treatment) => treatment.isControl === true).length;
  if (nControls > 1) {
    throw new ApiError('CONTROL_EXISTS', `treatments has ${nControls} controls; at most 1 is allowed`);
  }
}

const tooMany = () =>
  new ApiError(
    'LIMIT_REACHED',
    `this company has ${limits.experimentsListMax} experiments, the most allowed`,
  );
