// Single trials: their curves unpacked, and what is drawn of a group of them. These are pictures, not statistics.

const unpacked = new WeakMap(); // block → its trials
const curvesOf = new WeakMap(); // packed curves → values
const allTrials = new Map(); // task → its trials
const findings = new WeakMap(); // array of trials → what was found in it
const grids = new WeakMap(); // block → the steps of its evaluations as text
let trialsAreHere = false; // they come after the words, and after the curves that the words are about

class Trial {
  constructor(shard, block, lane) {
    [this.id, this.block, this.lane, this.contender] = [`${shard}/${lane}`, block, lane, block.contender];
    [this.rate, this.seed, this.stage, this.outcome] = [block.rate[lane], block.seed[lane], block.stage[lane], block.outcome[lane]];
    [this.ended, this.train_loss, this.valid, this.test] = [block.ended[lane], block.train_loss[lane], block.valid[lane], block.test[lane]];
  }
}

/** Takes over trials as they were written: lines [task, {shard: block}]. What a task has already stays as it is. */
function* takeTrials(lines) {
  for (const line of lines.split("\n")) {
    if (!line) continue;
    const [task, blocks] = JSON.parse(line);
    data.trials[task] = { ...blocks, ...data.trials[task] };
    yield;
  }
  for (const task of view.tasks) {
    for (const [shard, block] of Object.entries(data.trials[task.index] ?? {})) {
      trialsIn(shard, block);
      if (block.rate.length > 8) yield;
    }
  }
  trialsAreHere = true;
  redrawAll();
}

/** All trials of a task, in the order of their shards: the same array until there are more of them. */
function trialsOf(task) {
  const blocks = Object.entries(data.trials[task.index] ?? {});
  const known = allTrials.get(task.index);
  if (known && known.blocks === blocks.length) return known.trials;
  const trials = blocks.flatMap(([shard, block]) => trialsIn(shard, block));
  allTrials.set(task.index, { blocks: blocks.length, trials });
  return trials;
}

function trialsIn(shard, block) {
  if (!unpacked.has(block)) unpacked.set(block, block.rate.map((_, lane) => new Trial(shard, block, lane)));
  return unpacked.get(block);
}

/** What a function finds in an array of trials, found once. */
function once(trials, name, find) {
  if (!findings.has(trials)) findings.set(trials, new Map());
  const known = findings.get(trials);
  if (!known.has(name)) known.set(name, find(trials));
  return known.get(name);
}

/** The curve of a trial, one value per evaluation; NaN once it had ended. */
function curve(trial, quantity) {
  const packed = trial.block.curves[quantity];
  if (!curvesOf.has(packed)) curvesOf.set(packed, decode(packed));
  const length = trial.block.at.length;
  return curvesOf.get(packed).subarray(trial.lane * length, (trial.lane + 1) * length);
}

/** Codes 1 … 65,535 run from `low` to `high`, in equal steps or in equal ratios; 0 is no value. */
function decode({ low, high, log, codes }) {
  const bytes = atob(codes);
  const values = new Float64Array(bytes.length / 2);
  const ratio = log ? Math.log(high / low) : 0;
  for (let i = 0; i < values.length; i++) {
    const code = bytes.charCodeAt(2 * i) + 256 * bytes.charCodeAt(2 * i + 1);
    const share = (code - 1) / 65534;
    values[i] = code === 0 ? NaN : log ? low * Math.exp(ratio * share) : low * (1 - share) + high * share;
  }
  return values;
}

/**
 * Median and 10–90 %, or mean and its 95 % interval, of the trials of a group: {x, mid, low, high, n}, at the evaluations
 * that most of them share. Curves evaluated elsewhere (another batch size, say) are read between their own points, so that
 * the same trials stand behind every point. scale: contender → how far a step reaches on the x axis. Of a median, a trial that
 * has ended is the worst there is; a mean is over those still running, and n says how many they are. Pauses on the way.
 */
function* summarise(trials, quantity, how, worstIsHigh, scale) {
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
function smoothed(values, weight) {
  let [sum, mass] = [0, 0];
  return values.map((value) => {
    if (value === null || Number.isNaN(value)) return null;
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}

/** How far one step of a contender reaches on the chosen horizontal axis. */
function reachOf(axis, task) {
  const known = new Map(task.standings.map((standing) => [standing.contender, standing]));
  if (axis === "epoch") return (contender) => known.get(contender).batch_size / task.n_train;
  if (axis === "samples") return (contender) => known.get(contender).batch_size;
  if (axis === "seconds") return (contender) => (known.get(contender).milliseconds ?? 0) / 1000;
  return () => 1;
}

const AXES = {
  step: ["step", "步"],
  epoch: ["epoch", "轮"],
  samples: ["samples seen", "已见样本数"],
  seconds: ["seconds of training", "训练秒数"],
};

function rateName(rate) {
  return short(rate);
}
