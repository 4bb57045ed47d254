import { BinaryReader } from '../codec/binary-reader.ts';
import { BinaryWriter } from '../codec/binary-writer.ts';
import type { Arm } from '../policy.ts';
import type { ResolvedOptions } from '../resolve-options.ts';
import { type Allocation, allocate } from './allocate.ts';
import { readSumsBody, type SumsState, sumsSection, writeSums } from './sums-state.ts';

const servingKind = 2;
const allocationTag = 2;

/**
 * Serving state of a context-free algorithm: the sums, and the probabilities already computed for `arms`.
 * About 150 bytes an arm.
 */
export function encodeSumsServing(
  state: SumsState,
  arms: readonly Arm[],
  nTrialsSinceLast: number,
  options: ResolvedOptions,
): Uint8Array {
  const { pmf, confidence } = allocate(state, arms, nTrialsSinceLast, options);
  return writeSums(new BinaryWriter(1024).header(servingKind, 1), state)
    .section(allocationTag, (body) =>
      body.f64(nTrialsSinceLast).string(fingerprint(arms, options)).f64s(pmf).f64s(confidence),
    )
    .finish();
}

/**
 * The stored probabilities where they were computed for the same arms and options, else new ones from the sums.
 * @throws RangeError when the bytes are not such a serving state
 */
export function readAllocation(
  serving: Uint8Array,
  arms: readonly Arm[],
  options: ResolvedOptions,
): Allocation {
  const reader = new BinaryReader(serving);
  reader.header(servingKind, 1);
  const sections = reader.sections();
  const stored = sections.get(allocationTag);
  const nTrialsSinceLast = stored.f64();
  if (stored.string() === fingerprint(arms, options)) {
    return { pmf: stored.f64s(), confidence: stored.f64s() };
  }
  return allocate(readSumsBody(sections.get(sumsSection)), arms, nTrialsSinceLast, options);
}

/** Everything but the sums that the probabilities depend on. */
function fingerprint(arms: readonly Arm[], options: ResolvedOptions): string {
  const live = arms.map((arm) => (arm.isLive ? [arm.weight, arm.isOriginal ?? null] : 0));
  return JSON.stringify([options, live]);
}
