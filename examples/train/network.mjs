/**
 * 4 measurements → 12 rectified units → 3 species (softmax), trained by mini-batch SGD with momentum.
 *
 * All weights lie in one Float64Array, the momentum in another of the same shape, so that a checkpoint is two arrays.
 * Every sum runs in a fixed order and uses + - * / only (the exponential is our own), so the same seed gives the same
 * bits on every machine and every version of Node.
 */
const INPUTS = 4;
const HIDDEN = 12;
const OUTPUTS = 3;
const HIDDEN_BIAS = INPUTS * HIDDEN;
const OUTPUT_WEIGHTS = HIDDEN_BIAS + HIDDEN;
const OUTPUT_BIAS = OUTPUT_WEIGHTS + HIDDEN * OUTPUTS;

export const PARAMETERS = OUTPUT_BIAS + OUTPUTS;

/** Uniform weights in Glorot and Bengio's range, biases zero. */
export function initialWeights(random) {
  const weights = new Float64Array(PARAMETERS);
  const fill = (from, count, limit) => {
    for (let i = from; i < from + count; i++) weights[i] = (2 * random.next() - 1) * limit;
  };
  fill(0, INPUTS * HIDDEN, Math.sqrt(6 / (INPUTS + HIDDEN)));
  fill(OUTPUT_WEIGHTS, HIDDEN * OUTPUTS, Math.sqrt(6 / (HIDDEN + OUTPUTS)));
  return weights;
}

/** One step of SGD with momentum over a batch; changes `weights` and `momentum`, returns the batch's mean loss. */
export function trainStep(weights, momentum, batch, { learningRate, friction }) {
  const gradient = new Float64Array(PARAMETERS);
  let loss = 0;
  for (const row of batch) loss += addGradient(weights, row, gradient);
  for (let i = 0; i < PARAMETERS; i++) {
    momentum[i] = friction * momentum[i] - (learningRate * gradient[i]) / batch.length;
    weights[i] += momentum[i];
  }
  return loss / batch.length;
}

/** Mean loss and share of right answers. */
export function evaluate(weights, rows) {
  let loss = 0;
  let right = 0;
  for (const row of rows) {
    const { probabilities } = forward(weights, row.features);
    loss -= Math.log(Math.max(probabilities[row.label], 1e-300));
    if (probabilities.indexOf(Math.max(...probabilities)) === row.label) right++;
  }
  return { loss: loss / rows.length, accuracy: right / rows.length };
}

function forward(weights, features) {
  const hidden = new Float64Array(HIDDEN);
  for (let h = 0; h < HIDDEN; h++) {
    let sum = weights[HIDDEN_BIAS + h];
    for (let i = 0; i < INPUTS; i++) sum += weights[h * INPUTS + i] * features[i];
    hidden[h] = Math.max(sum, 0);
  }
  const scores = new Float64Array(OUTPUTS);
  for (let o = 0; o < OUTPUTS; o++) {
    let sum = weights[OUTPUT_BIAS + o];
    for (let h = 0; h < HIDDEN; h++) sum += weights[OUTPUT_WEIGHTS + o * HIDDEN + h] * hidden[h];
    scores[o] = sum;
  }
  return { hidden, probabilities: softmax(scores) };
}

/** Back-propagates one row into `gradient` and returns its loss. */
function addGradient(weights, row, gradient) {
  const { hidden, probabilities } = forward(weights, row.features);
  const hiddenError = new Float64Array(HIDDEN);
  for (let o = 0; o < OUTPUTS; o++) {
    const error = probabilities[o] - (o === row.label ? 1 : 0);
    gradient[OUTPUT_BIAS + o] += error;
    for (let h = 0; h < HIDDEN; h++) {
      gradient[OUTPUT_WEIGHTS + o * HIDDEN + h] += error * hidden[h];
      hiddenError[h] += error * weights[OUTPUT_WEIGHTS + o * HIDDEN + h];
    }
  }
  for (let h = 0; h < HIDDEN; h++) {
    if (hidden[h] <= 0) continue;
    gradient[HIDDEN_BIAS + h] += hiddenError[h];
    for (let i = 0; i < INPUTS; i++) gradient[h * INPUTS + i] += hiddenError[h] * row.features[i];
  }
  return -Math.log(Math.max(probabilities[row.label], 1e-300));
}

function softmax(scores) {
  const highest = Math.max(...scores);
  const powers = scores.map((score) => exponential(score - highest));
  let sum = 0;
  for (const power of powers) sum += power;
  return powers.map((power) => power / sum);
}

/**
 * e^x for x ≤ 0, good to about 13 digits: the series for x/1024, squared ten times. `Math.exp` may differ in its last
 * bit between engines, and one bit is enough for two runs to part.
 */
function exponential(x) {
  if (x < -700) return 0;
  const small = x / 1024;
  let term = 1;
  let sum = 1;
  for (let n = 1; n <= 12; n++) {
    term *= small / n;
    sum += term;
  }
  for (let i = 0; i < 10; i++) sum *= sum;
  return sum;
}
