/**
 * State of the three context-free algorithms: sums per arm, so any order, batching or rebuild gives the same.
 *
 * Held by the learner alone. A fold works on a copy and puts it in place when every fact went through.
 * Discounted sums: a trial weighs g^(t - t_i), t the number of the latest trial and t_i its own. They are stored
 * divided by `scale` so that a new trial does not touch every arm; `scale` falls by g a trial and is multiplied out
 * before it gets small.
 */
import type { BinaryReader } from '../codec/binary-reader.ts';
import type { BinaryWriter } from '../codec/binary-writer.ts';

export interface SumsState {
  nTrials: number;
  scale: number;
  /** shape [arms * columns.length], one row an arm */
  rows: Float64Array;
}

/** Columns of a row: n, s and s2 undiscounted (s and s2 with their low halves), first trial's number, discounted sums. */
export const column = {
  n: 0,
  s: 1,
  s2: 3,
  first: 5,
  discountedN: 6,
  discountedS: 7,
  discountedS2: 8,
} as const;
export const nColumns = 9;
/** Removed arms keep their index, so an experiment may have had more arms than are ever live at once. */
export const nArmsMax = 65_536;

export function emptySums(): SumsState {
  return { nTrials: 0, scale: 1, rows: new Float64Array(0) };
}

export function nArmsOf(state: SumsState): number {
  return state.rows.length / nColumns;
}

/** Adds rows up to `armIndex`; new arms have no first trial (-1). */
export function reserveArm(state: SumsState, armIndex: number): void {
  const nArms = nArmsOf(state);
  if (armIndex < nArms) return;
  const rows = new Float64Array((armIndex + 1) * nColumns);
  rows.set(state.rows);
  for (let arm = nArms; arm <= armIndex; arm++) rows[arm * nColumns + column.first] = -1;
  state.rows = rows;
}

const sumsTag = 1;

/** Appends the state as one section. */
export function writeSums(writer: BinaryWriter, state: SumsState): BinaryWriter {
  return writer.section(sumsTag, (body) =>
    body.varint(state.nTrials).f64(state.scale).varint(nColumns).f64s(state.rows),
  );
}

/** Reads what `writeSums` wrote; columns that a later version appended to a row are left out. */
export function readSums(reader: BinaryReader): SumsState {
  const body = reader.sections().get(sumsTag);
  return readSumsBody(body);
}

export function readSumsBody(body: BinaryReader): SumsState {
  const nTrials = body.varint();
  const scale = body.f64();
  const stride = body.varint();
  const stored = body.f64s();
  if (stride < nColumns || stored.length % stride !== 0) {
    throw new RangeError(`sums need at least ${nColumns} columns a row, got ${stored.length} / ${stride}`);
  }
  const nArms = stored.length / stride;
  const rows = new Float64Array(nArms * nColumns);
  for (let arm = 0; arm < nArms; arm++) {
    rows.set(stored.subarray(arm * stride, arm * stride + nColumns), arm * nColumns);
  }
  return { nTrials, scale, rows };
}

export const sumsSection = sumsTag;
