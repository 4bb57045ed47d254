import { lnBetaPeak } from '../special/ln-gamma.ts';
import { log1pMinus } from '../special/log1p-minus.ts';
import { digamma, trigamma } from '../special/polygamma.ts';
import { bestProbabilities, integrateBest, type Law } from './best-probabilities.ts';

/**
 * P(arm k has the largest rate) when the rates are independent Beta(alpha_k, beta_k).
 *
 * Integrated over the log-odds u = ln(x / (1 - x)), where every Beta density is smooth with exponential tails, also
 * where alpha or beta is below 1 and the density in x has a pole.
 *
 * @param alphas shape [K], each > 0; @param betas shape [K], each > 0
 * @returns shape [K], sums to 1; absolute error below 1e-9 for alpha, beta from .01 to 1e9
 * @throws RangeError naming the first bad parameter
 */
export function betaBest(alphas: ArrayLike<number>, betas: ArrayLike<number>): Float64Array {
  return bestProbabilities(logOddsLaws(alphas, betas));
}

/** Mean of the largest of independent Beta(alpha_k, beta_k) rates; same parameters and accuracy as `betaBest`. */
export function betaExpectedMax(alphas: ArrayLike<number>, betas: ArrayLike<number>): number {
  return integrateBest(logOddsLaws(alphas, betas), (u) => 1 / (1 + Math.exp(-u))).expectedMax;
}

function logOddsLaws(alphas: ArrayLike<number>, betas: ArrayLike<number>): Law[] {
  return Array.from(alphas, (alpha, k) => {
    const beta = betas[k]!;
    if (!(alpha > 0 && beta > 0 && alpha + beta < Infinity)) {
      throw new RangeError(
        `alpha and beta of arm ${k} must be positive and finite, got ${alpha} and ${beta}`,
      );
    }
    return logOddsLaw(alpha, beta);
  });
}

/**
 * Law of ln(x / (1 - x)) when x is Beta(alpha, beta): density x^alpha (1 - x)^beta / B(alpha, beta).
 *
 * The exponent is written around the mode x0 = alpha / (alpha + beta), where its first-order terms cancel:
 * alpha ln(x / x0) + beta ln((1 - x) / (1 - x0)) = alpha h((x - x0) / x0) + beta h(-(x - x0) / (1 - x0)) with
 * h(z) = ln(1 + z) - z, so that counts of 10^9 lose no digits (Loader 2000).
 */
function logOddsLaw(alpha: number, beta: number): Law {
  const n = alpha + beta;
  const mode = alpha / n;
  const rest = beta / n;
  const lnPeak = lnBetaPeak(alpha, beta);
  // Both tails fall as exp(-alpha |u|) and exp(-beta |u|) or faster, hence within 28 of these widths: e^-28 = 7e-13.
  const width = Math.sqrt(trigamma(alpha) + trigamma(beta));
  const centre = digamma(alpha) - digamma(beta);
  return {
    centre,
    width,
    low: centre - 28 * width,
    high: centre + 28 * width,
    density(points, out) {
      for (let i = 0; i < points.length; i++) {
        const u = points[i]!;
        // Each of x and 1 - x to full relative precision.
        const x = 1 / (1 + Math.exp(-u));
        const y = 1 / (1 + Math.exp(u));
        const above = u < 0 ? x - mode : rest - y;
        const exponent = alpha * lnRatio(above / mode, u, mode) + beta * lnRatio(-above / rest, -u, rest);
        out[i] = Math.exp(lnPeak + exponent);
      }
    },
  };
}

/** ln(x / mode) - z with z = x / mode - 1 and x = 1 / (1 + e^-u); far below the mode straight from u, as x underflows. */
function lnRatio(z: number, u: number, mode: number): number {
  if (z > -0.9) return log1pMinus(z);
  return Math.min(u, 0) - Math.log1p(Math.exp(-Math.abs(u))) - Math.log(mode) - z;
}
