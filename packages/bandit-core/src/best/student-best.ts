import { lnGamma, stirlingError } from '../special/ln-gamma.ts';
import { bestProbabilities, integrateBest, type Law } from './best-probabilities.ts';

/** A Student-t law of an unknown mean: location + scale * t(degrees). */
export interface StudentLaw {
  readonly location: number;
  /** > 0 */
  readonly scale: number;
  /** Degrees of freedom, >= 1; Infinity is the normal law. */
  readonly degrees: number;
}

/**
 * P(arm k has the largest mean) when the means are independent Student-t laws.
 *
 * Locations and scales are first measured from the largest location in units of the largest scale, so that shifting or
 * scaling all of them together changes nothing but rounding.
 *
 * @param laws shape [K]
 * @returns shape [K], sums to 1; absolute error below 1e-9
 * @throws RangeError naming the first bad law
 */
export function studentBest(laws: readonly StudentLaw[]): Float64Array {
  return bestProbabilities(standardise(laws).laws);
}

/**
 * Mean of the largest of independent Student-t means, all with degrees > 1. Error below 1e-9 of the largest scale at 5
 * or more degrees of freedom; with the 2 of an untried arm 1e-6, the part of the mean that lies in its far tail.
 */
export function studentExpectedMax(laws: readonly StudentLaw[]): number {
  const { laws: scaled, origin, unit } = standardise(laws);
  return origin + unit * integrateBest(scaled, (x) => x).expectedMax;
}

function standardise(laws: readonly StudentLaw[]): { laws: Law[]; origin: number; unit: number } {
  laws.forEach(({ location, scale, degrees }, k) => {
    if (!Number.isFinite(location) || !(scale > 0 && scale < Infinity) || !(degrees >= 1)) {
      throw new RangeError(
        `arm ${k} needs a finite location, scale > 0 and degrees >= 1, got ${location}, ${scale} and ${degrees}`,
      );
    }
  });
  // Seen from the largest, the contenders are near 0, where doubles are dense.
  const origin = laws.reduce((largest, { location }) => Math.max(largest, location), -Infinity);
  const unit = laws.reduce((largest, { scale }) => Math.max(largest, scale), 0);
  const scaled = laws.map(({ location, scale, degrees }) => {
    const centre = (location - origin) / unit;
    // A law narrower than doubles can tell at its place is as good as a point, and so is one a little wider.
    return studentLaw(centre, Math.max(scale / unit, 1e-10 * Math.abs(centre), 1e-100), degrees);
  });
  return { laws: scaled, origin, unit };
}

function studentLaw(location: number, scale: number, degrees: number): Law {
  const lnPeak = lnPeakOf(degrees) - Math.log(scale);
  const reach = tailReach(degrees) * scale;
  return {
    centre: location,
    width: scale,
    low: location - reach,
    high: location + reach,
    density(points, out) {
      for (let i = 0; i < points.length; i++) {
        const z = (points[i]! - location) / scale;
        const exponent =
          degrees < Infinity ? -0.5 * (degrees + 1) * Math.log1p((z * z) / degrees) : -0.5 * z * z;
        out[i] = Math.exp(lnPeak + exponent);
      }
    },
  };
}

/** ln of the density at 0: ln Gamma((v + 1)/2) - ln Gamma(v/2) - ln(pi v)/2, by Stirling's errors at large v. */
function lnPeakOf(degrees: number): number {
  const normal = -0.9189385332046728;
  if (degrees === Infinity) return normal;
  if (degrees < 20)
    return lnGamma((degrees + 1) / 2) - lnGamma(degrees / 2) - 0.5 * Math.log(Math.PI * degrees);
  const half = degrees / 2;
  return normal + half * Math.log1p(0.5 / half) - 0.5 + stirlingError(half + 0.5) - stirlingError(half);
}

/**
 * z with P(|t| > z) below 1e-12. The tail beyond z is at most density(z) z / v * (1 + v / z^2), and for a normal law
 * 8 would do; found by doubling from there.
 */
function tailReach(degrees: number): number {
  if (degrees === Infinity) return 8;
  const lnPeak = lnPeakOf(degrees);
  for (let z = 8; ; z *= 1.5) {
    const lnTail =
      lnPeak - 0.5 * (degrees + 1) * Math.log1p((z * z) / degrees) + Math.log(z / degrees + 1 / z);
    if (lnTail < -28) return z;
  }
}
