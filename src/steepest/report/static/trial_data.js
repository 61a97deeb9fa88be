// Single trials: taken over as they come, their curves unpacked, and what is found in an array of them.

import { data, view } from "./data.js";
import { distinct } from "./numbers.js";
import { redrawAll } from "./scheduler.js";

const unpacked = new WeakMap(); // block → its trials
const curvesOf = new WeakMap(); // packed curves → values
const allTrials = new Map(); // task → its trials
const findings = new WeakMap(); // array of trials → what was found in it
let trialsAreHere = false; // they come after the words, and after the curves that the words are about

export function areTrialsHere() {
  return trialsAreHere;
}

class Trial {
  constructor(shard, block, lane) {
    [this.id, this.block, this.lane, this.contender] = [`${shard}/${lane}`, block, lane, block.contender];
    [this.rate, this.seed, this.stage, this.outcome] = [block.rate[lane], block.seed[lane], block.stage[lane], block.outcome[lane]];
    [this.ended, this.train_loss, this.valid, this.test] = [block.ended[lane], block.train_loss[lane], block.valid[lane], block.test[lane]];
  }

  /** The value of a dial beside the rate; null where there is none. */
  dial(name) {
    return this.block.dials?.[name]?.[this.lane] ?? null;
  }
}

/** Takes over trials as they were written: lines [task, {shard: block}]. What a task has already stays as it is. */
export function* takeTrials(lines) {
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
export function trialsOf(task) {
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
export function once(trials, name, find) {
  if (!findings.has(trials)) findings.set(trials, new Map());
  const known = findings.get(trials);
  if (!known.has(name)) known.set(name, find(trials));
  return known.get(name);
}

/** Names of all dials beside the rate; none in a study that tunes the rate alone. */
export function dialNames(trials) {
  return once(trials, "dials", () => distinct(trials.flatMap(({ block }) => Object.keys(block.dials ?? {}))));
}

/** The curve of a trial, one value per evaluation; NaN once it had ended. */
export function curve(trial, quantity) {
  const packed = trial.block.curves[quantity];
  if (!curvesOf.has(packed)) curvesOf.set(packed, decode(packed));
  const length = trial.block.at.length;
  return curvesOf.get(packed).subarray(trial.lane * length, (trial.lane + 1) * length);
}

/** Codes 1 … 65,535 run from `low` to `high`, in equal steps or in equal ratios; 0 means that there is none. */
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

export function trialsTable(pairs) {
  const dials = dialNames(pairs.map(([, trial]) => trial));
  const head = ["task", "optimizer", "rate", "seed", "stage", "batch", "steps", "outcome", "ended at", "train loss", "validation", "test", ...dials];
  const rows = pairs.map(([task, trial]) => [
    ...[task.name, view.contenders[trial.contender].name, trial.rate, trial.seed, trial.stage, trial.block.batch, trial.block.steps],
    ...[trial.outcome, trial.ended, trial.train_loss, trial.valid, trial.test, ...dials.map((name) => trial.dial(name))],
  ]);
  return [head, ...rows];
}
