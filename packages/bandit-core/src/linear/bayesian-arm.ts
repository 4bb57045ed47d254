import type { BinaryReader } from '../codec/binary-reader.ts';
import type { BinaryWriter } from '../codec/binary-writer.ts';
import { dotSparse, type SparseVector } from '../context/sparse-vector.ts';
import { type Link, sigmoid } from './link.ts';
import { logisticStep } from './logistic-step.ts';
import { downdate, multiplySparse, quadraticForm, triangleLength } from './packed-triangle.ts';

/** Scratch for P x, shared: nothing here is re-entrant. */
const gain = new Float64Array(1024);

/**
 * Bayesian regression of one arm's rewards, one trial at a time, from a Gaussian prior.
 *
 * Logistic: online Laplace. theta moves to the most probable point (`logisticStep`), and the covariance takes the curvature
 * there: g = p (1 - p), P <- P - g Px (Px)' / (1 + g x'Px).
 * Identity: recursive least squares (Sherman-Morrison), g = 1. It also learns `unit`, the same regression of the
 * constant 1: rewards moved by c have coefficients theta - c unit exactly, so nothing depends on where zero is.
 *
 * Columns grow with the encoder: a new one starts at coefficient 0, its prior variance, covariance 0.
 * Sources: Murphy, Probabilistic Machine Learning: Advanced Topics (2023), 8.2 (Laplace-Kalman update);
 * Sherman & Morrison (1950). An online Laplace step is not the batch posterior: it depends on the order.
 */
export class BayesianArm {
  theta = new Float64Array(0);
  /** Coefficients of the constant 1; empty for the logistic link. */
  unit = new Float64Array(0);
  covariance = new Float64Array(0);
  /** Columns in use. */
  d = 0;
  readonly link: Link;

  constructor(link: Link) {
    this.link = link;
  }

  /** Makes room for columns 0 … d - 1. @param precision 1 / prior variance of the columns that are new, > 0 */
  grow(d: number, precision: number): void {
    if (d <= this.d) return;
    if (triangleLength(d) > this.covariance.length) this.#reserve(Math.min(1024, Math.ceil(d * 1.25) + 4));
    for (let i = this.d; i < d; i++) this.covariance[triangleLength(i) + i] = 1 / precision;
    this.d = d;
  }

  /** Learns one trial. @param target 0 … 1 for the logistic link */
  learn(x: SparseVector, target: number): void {
    const { theta, unit, covariance, d } = this;
    multiplySparse(covariance, d, x, gain);
    const variance = dotSparse(x, gain);
    const eta = dotSparse(x, theta);
    if (this.link === 'identity') {
      const shrink = 1 / (1 + variance);
      addScaled(theta, gain, d, (target - eta) * shrink);
      addScaled(unit, gain, d, (1 - dotSparse(x, unit)) * shrink);
      downdate(covariance, d, gain, shrink);
      return;
    }
    const step = logisticStep(eta, variance, target);
    const p = sigmoid(eta + variance * step);
    const curvature = p * (1 - p);
    addScaled(theta, gain, d, step);
    downdate(covariance, d, gain, curvature / (1 + curvature * variance));
  }

  /**
   * A trial learned with one label turns out to have another: theta += P x (new - old). Exact for a Gaussian posterior
   * under both links: for the logistic one the likelihoods of labels 1 and 0 differ by the factor e^(x'theta).
   */
  correct(x: SparseVector, change: number): void {
    multiplySparse(this.covariance, this.d, x, gain);
    addScaled(this.theta, gain, this.d, change);
  }

  /** x'Px, the variance of x'theta (in units of the noise variance for the identity link). */
  variance(x: SparseVector): number {
    return quadraticForm(this.covariance, this.d, x);
  }

  encode(writer: BinaryWriter): void {
    writer.f64s(this.theta, this.d).f64s(this.unit, this.link === 'identity' ? this.d : 0);
    writer.f64s(this.covariance, triangleLength(this.d));
  }

  static decode(reader: BinaryReader, link: Link): BayesianArm {
    const arm = new BayesianArm(link);
    arm.theta = reader.f64s();
    arm.unit = reader.f64s();
    arm.covariance = reader.f64s();
    arm.d = arm.theta.length;
    const isWhole = arm.covariance.length === triangleLength(arm.d);
    if (!isWhole || arm.unit.length !== (link === 'identity' ? arm.d : 0)) {
      throw new RangeError(`arm of ${arm.d} columns has a covariance of ${arm.covariance.length} entries`);
    }
    return arm;
  }

  #reserve(capacity: number): void {
    this.theta = resized(this.theta, capacity);
    if (this.link === 'identity') this.unit = resized(this.unit, capacity);
    this.covariance = resized(this.covariance, triangleLength(capacity));
  }
}

function resized(values: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(length);
  larger.set(values);
  return larger;
}

function addScaled(values: Float64Array, direction: Float64Array, n: number, factor: number): void {
  for (let i = 0; i < n; i++) values[i]! += direction[i]! * factor;
}
