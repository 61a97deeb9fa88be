// What is drawn of the curves of a group of trials. These are pictures, not statistics.

import { data } from "./data.js";
import { curve } from "./trial_data.js";

const grids = new WeakMap(); // block → the steps of its evaluations as text

/**
 * Median and 10–90 %, or mean and its 95 % interval, of the trials of a group: {x, mid, low, high, n}, at the evaluations
 * that most of them share. Curves evaluated elsewhere (another batch size, say) are read between their own points, so that
 * every point summarizes the same trials. scale: contender → how far a step reaches on the x axis. Of a median, a trial that
 * has ended is the worst there is; a mean is over those still running, and n says how many they are. Pauses on the way.
 */
export function* summarise(trials, quantity, how, worstIsHigh, scale) {
  const bySteps = new Map(); // steps and scale → {x, trials}
  for (const trial of trials) {
    if (!grids.has(trial.block)) grids.set(trial.block, trial.block.at.join());
    const factor = scale(trial.contender);
    const key = `${factor} ${grids.get(trial.block)}`;
    if (!bySteps.has(key)) bySteps.set(key, { x: trial.block.at.map((step) => Number((step * factor).toPrecision(6))), trials: [] });
    bySteps.get(key).trials.push(trial);
  }
  const kinds = [...bySteps.values()].sort((a, b) => b.trials.length - a.trials.length);
  const x = kinds.length ? kinds[0].x : [];
  const columns = x.map(() => new Float64Array(trials.length)); // [E][trials]
  const filled = new Int32Array(x.length);
  let read = 0;
  for (const kind of kinds) {
    const places = kind === kinds[0] ? null : x.map((at) => between(kind.x, at));
    for (const trial of kind.trials) {
      if (++read % 256 === 0) yield;
      const values = curve(trial, quantity);
      for (let i = 0; i < x.length; i++) {
        if (!places) columns[i][filled[i]++] = values[i];
        else if (places[i]) columns[i][filled[i]++] = values[places[i][0]] * (1 - places[i][1]) + values[Math.min(places[i][0] + 1, values.length - 1)] * places[i][1];
      }
    }
  }
  const rows = [];
  for (let i = 0; i < x.length; i++) {
    const column = columns[i].subarray(0, filled[i]);
    rows.push(how === "mean" ? meanOf(column) : quantilesOf(column, worstIsHigh));
    if (column.length > 256) yield;
  }
  return { x, mid: rows.map((row) => row[0]), low: rows.map((row) => row[1]), high: rows.map((row) => row[2]), n: rows.map((row) => row[3]) };
}

/** Where a value lies among increasing ones: [place, share of the way to the next]; null outside. */
function between(ordered, value) {
  const last = ordered.length - 1;
  if (value < ordered[0] || value > ordered[last] * (1 + 1e-9)) return null;
  const after = ordered.findIndex((other) => other > value);
  if (after < 0) return [last, 0];
  return [after - 1, (value - ordered[after - 1]) / (ordered[after] - ordered[after - 1])];
}

function quantilesOf(values, worstIsHigh) {
  const worst = worstIsHigh ? Infinity : -Infinity;
  const ordered = values.map((value) => (Number.isNaN(value) ? worst : value)).sort();
  const at = (share) => {
    const position = share * (ordered.length - 1);
    const [below, above] = [ordered[Math.floor(position)], ordered[Math.ceil(position)]];
    const weight = position - Math.floor(position);
    const value = weight === 0 ? below : Number.isFinite(below) && Number.isFinite(above) ? below + weight * (above - below) : Number.isFinite(below) ? above : below;
    return Number.isFinite(value) ? value : null;
  };
  return [at(0.5), at(0.1), at(0.9), ordered.length];
}

function meanOf(values) {
  const kept = values.filter((value) => !Number.isNaN(value));
  const n = kept.length;
  if (!n) return [null, null, null, 0];
  const mean = kept.reduce((sum, value) => sum + value, 0) / n;
  if (n === 1) return [mean, null, null, 1];
  const deviation = Math.sqrt(kept.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  const half = (data.t975[Math.min(n - 1, data.t975.length) - 1] * deviation) / Math.sqrt(n);
  return [mean, mean - half, mean + half, n];
}

/** An exponential moving average that starts unbiased: weight 0 leaves a curve as it is. Ends where the curve ends. */
export function smoothed(values, weight) {
  let [sum, mass] = [0, 0];
  return values.map((value) => {
    if (value === null || Number.isNaN(value)) return null;
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}
