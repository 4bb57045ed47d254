import { wakeMessageSchema } from '@bandit/contracts';
import type { ExperimentKey } from '@bandit/db';
import { parseJson } from '@bandit/http';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

const refreshRequestSchema = Type.Object({ companyId: Type.String(), experimentId: Type.String() });

/** @returns undefined for a message that is none of ours: the poll finds what it might have said */
export function readWakePartition(payload: Uint8Array): number | undefined {
  const message = parse(payload);
  return Value.Check(wakeMessageSchema, message) ? message.partition : undefined;
}

/** @throws Error for anything but {companyId, experimentId} */
export function readRefreshRequest(payload: Uint8Array): ExperimentKey {
  const message = parse(payload);
  if (!Value.Check(refreshRequestSchema, message))
    throw new Error('a refresh request needs companyId and experimentId');
  return { companyId: message.companyId, experimentId: message.experimentId };
}

function parse(payload: Uint8Array): unknown {
  try {
    return parseJson(payload, { name: 'message' });
  } catch {
    return undefined;
  }
}
