/** The table covers +-9 standard deviations; the tail beyond is 1e-19. */
const reach = 9;
const perUnit = 32;
const cdfs = new Float64Array(2 * reach * perUnit + 2);
const slopes = new Float64Array(cdfs.length);
fillTables();

/**
 * Standard normal distribution function from a table by cubic Hermite interpolation: error below 5e-9 everywhere,
 * about 4 ns. For allocation and confidence, where the posterior itself is an approximation; 0 below -9, 1 above 9.
 */
export function fastNormalCdf(z: number): number {
  if (!(z > -reach)) return 0;
  if (z >= reach) return 1;
  const place = (z + reach) * perUnit;
  const i = Math.floor(place);
  const t = place - i;
  const low = cdfs[i]!;
  const rise = cdfs[i + 1]! - low;
  const slopeLow = slopes[i]!;
  const slopeHigh = slopes[i + 1]!;
  return (
    low + t * (slopeLow + t * (3 * rise - 2 * slopeLow - slopeHigh + t * (slopeLow + slopeHigh - 2 * rise)))
  );
}

/** Running integral of the density, four Gauss-Legendre nodes a step: exact to rounding, also in the lower tail. */
function fillTables(): void {
  const nodes = [0.3399810435848563, 0.8611363115940526];
  const weights = [0.6521451548625461, 0.34785484513745385];
  let sum = 0;
  for (let i = 0; i < cdfs.length; i++) {
    const z = i / perUnit - reach;
    cdfs[i] = sum;
    slopes[i] = density(z) / perUnit;
    const middle = z + 0.5 / perUnit;
    for (let k = 0; k < 2; k++) {
      const shift = (nodes[k]! * 0.5) / perUnit;
      sum += ((weights[k]! * 0.5) / perUnit) * (density(middle - shift) + density(middle + shift));
    }
  }
}

function density(z: number): number {
  return Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
}
