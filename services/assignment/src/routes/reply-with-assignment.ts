import type { ExperimentSnapshot } from '@bandit/contracts';
import type { Context } from '@bandit/core';
import type { FastifyReply } from 'fastify';
import { answerBody } from '../assign/answer-body.ts';
import type { Assigner } from '../assign/assigner.ts';
import type { KnownAssignment } from '../assign/known-assignment.ts';
import { type FindActiveDeps, findActive } from './find-active.ts';

export interface ReplyDeps extends FindActiveDeps {
  assigner: Pick<Assigner, 'findKnown' | 'assign'>;
}

export interface Asked {
  readonly companyId: string;
  readonly experimentId: string;
  readonly userId: string;
  readonly context: Context | undefined;
}

/**
 * Answers with the user's assignment: at once for a user this process knows, else once it is decided.
 * @throws ApiError EXPERIMENT_NOT_FOUND, EXPERIMENT_NOT_ACTIVE, OVERLOADED, STORE_UNAVAILABLE
 */
export function replyWithAssignment(
  deps: ReplyDeps,
  reply: FastifyReply,
  asked: Asked,
): FastifyReply | Promise<FastifyReply> {
  const experiment = findActive(deps, asked.companyId, asked.experimentId);
  if (experiment instanceof Promise)
    return experiment.then((found) => replyActive(deps, reply, asked, found));
  return replyActive(deps, reply, asked, experiment);
}

function replyActive(
  deps: ReplyDeps,
  reply: FastifyReply,
  asked: Asked,
  experiment: ExperimentSnapshot,
): FastifyReply | Promise<FastifyReply> {
  const { companyId, experimentId, userId, context } = asked;
  const known = deps.assigner.findKnown(experiment, userId);
  if (known) return send(reply, experiment, known, deps.nowMs());
  return deps.assigner.assign({ experiment, userId, context }).then((made) => {
    // The configuration may have moved meanwhile: the treatment is named by the newest.
    const newest = deps.findExperiment(companyId, experimentId) ?? experiment;
    return send(reply, newest, made, deps.nowMs());
  });
}

function send(
  reply: FastifyReply,
  experiment: ExperimentSnapshot,
  known: KnownAssignment,
  nowMs: number,
): FastifyReply {
  if (known.standing === 'unrecorded') reply.header('x-recorded', 'false');
  // Already JSON text: Fastify sends a string as it is.
  return reply.type('application/json; charset=utf-8').send(answerBody(experiment, known, nowMs));
}
