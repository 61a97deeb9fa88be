// Learning curves of any part of the study: grouped, filtered, smoothed, against steps, epochs, samples or seconds.

import { colourOf } from "./contenders.js";
import { controls, offer, offerOptions } from "./controls.js";
import { view } from "./data.js";
import { element } from "./dom.js";
import { outcomeName, plural, say, word } from "./language.js";
import { hasLog, lineChart, steerByKeys, vertical } from "./line_chart.js";
import { counted, distinct, rateName } from "./numbers.js";
import { describe, linesTable } from "./saving.js";
import { promptly, whenSized } from "./scheduler.js";
import { isolate, legend, selections } from "./selection.js";
import { smoothed, summarise } from "./summaries.js";
import { ramp, translucent } from "./theme.js";
import { areTrialsHere, curve, once, trialsOf } from "./trial_data.js";

const MOST_LINES = 160; // single trials that are drawn at a time
const MOST_GROUPS = 30; // and groups

const GROUPS = {
  contender: () => say("optimizer"),
  rate: () => say("rate"),
  schedule: () => say("schedule"),
  seed: () => say("seed"),
  outcome: () => say("outcome"),
};

const KEYS = {
  contender: (trial) => trial.contender,
  rate: (trial) => trial.rate,
  schedule: (trial) => view.contenders[trial.contender].schedule,
  seed: (trial) => trial.seed,
  outcome: (trial) => trial.outcome,
};

const OUTCOME_SLOTS = { ok: 4, stopped: 1, diverged: 3, nonfinite: 7, oom: 2, error: 5, killed: 0, timeout: 6 };

const AXES = {
  step: () => say("step"),
  epoch: () => say("epoch"),
  samples: () => say("samples seen"),
  seconds: () => say("seconds of training"),
};

/** How far one step of a contender reaches on the chosen horizontal axis. */
function reachOf(axis, task) {
  const known = new Map(task.standings.map((standing) => [standing.contender, standing]));
  if (axis === "epoch") return (contender) => known.get(contender).batch_size / task.n_train;
  if (axis === "samples") return (contender) => known.get(contender).batch_size;
  if (axis === "seconds") return (contender) => (known.get(contender).milliseconds ?? 0) / 1000;
  return () => 1;
}

/** The rate that was searched and lies nearest to the one recommended, per contender. */
function recommendedRates(task) {
  return new Map(task.standings.map(({ contender, curves }) => [contender, curves.chosen === null ? null : curves.rates[curves.chosen].rate]));
}

function sameRate(a, b) {
  return a !== null && b !== null && Math.abs(a / b - 1) < 1e-4;
}

/** Key, name, colour and dash of the group that a trial belongs to. */
function groupOf(trial, by, rates, seeds) {
  const contender = view.contenders[trial.contender];
  if (by === "contender") return { key: trial.contender, label: contender.label, colour: colourOf(contender), dash: view.palette.dashes[contender.dash] };
  if (by === "rate") {
    const span = Math.log(rates[rates.length - 1] / rates[0]) || 1;
    return { key: trial.rate, label: say("rate {rate}", { rate: rateName(trial.rate) }), colour: ramp(Math.log(trial.rate / rates[0]) / span), dash: [] };
  }
  if (by === "seed") return { key: trial.seed, label: say("seed {seed}", { seed: trial.seed }), colour: ramp(seeds.indexOf(trial.seed) / Math.max(1, seeds.length - 1)), dash: [] };
  const slot = by === "outcome" ? (OUTCOME_SLOTS[trial.outcome] ?? 0) : view.contenders.findIndex((other) => other.schedule === contender.schedule) % 8;
  const name = by === "outcome" ? outcomeName(trial.outcome) : contender.schedule;
  return { key: name, label: name, colour: colourOf({ colour: slot }), dash: [] };
}

export function learningFigure(figure) {
  const task = view.tasks[figure.dataset.task];
  const { chosen } = selections[task.index];
  const box = figure.querySelector(".chart");
  const state = controls(figure, () => promptly(box, draw));
  const output = figure.querySelector(".slider output");

  /** What the selects offer, from the trials that there are. */
  function offerAll(trials) {
    const any = ["", say("all")];
    const rates = once(trials, "rates", () => distinct(trials.map((trial) => trial.rate)));
    const seeds = once(trials, "seeds", () => distinct(trials.map((trial) => trial.seed)));
    const outcomes = once(trials, "outcomes", () => distinct(trials.map((trial) => trial.outcome)));
    const schedules = distinct(view.contenders.map((contender) => contender.schedule));
    const groups = Object.entries(GROUPS).filter(([by]) => by !== "schedule" || schedules.length > 1);
    offerOptions(figure, state, "group", groups.map(([by, names]) => [by, names()]));
    offerOptions(figure, state, "rate", [["best", say("recommended")], any, ...rates.map((rate) => [rate, rateName(rate)])]);
    offerOptions(figure, state, "schedule", schedules.length > 1 ? [any, ...schedules.map((name) => [name, name])] : [any]);
    offerOptions(figure, state, "seed", [any, ...seeds.map((seed) => [seed, String(seed)])]);
    offerOptions(figure, state, "outcome", [any, ...outcomes.map((name) => [name, outcomeName(name)])]);
    offer(figure, "y", hasLog(task, state.quantity));
    offer(figure, "span", state.quantity === "valid_metric");
    figure.querySelector("[value=seconds]").hidden = task.standings.some((standing) => !standing.milliseconds);
    output.value = Number(state.smooth).toFixed(2);
  }

  function kept(trials) {
    const best = recommendedRates(task);
    return trials.filter(
      (trial) =>
        (state.rate === "" || (state.rate === "best" ? sameRate(trial.rate, best.get(trial.contender)) : sameRate(trial.rate, Number(state.rate)))) &&
        (state.seed === "" || trial.seed === Number(state.seed)) &&
        (state.outcome === "" || trial.outcome === state.outcome) &&
        (state.schedule === "" || view.contenders[trial.contender].schedule === state.schedule) &&
        (state.group === "contender" || !chosen.size || chosen.has(trial.contender)),
    );
  }

  function grouped(trials) {
    const key = KEYS[state.group];
    const members = new Map();
    for (const trial of trials) {
      if (!members.has(key(trial))) members.set(key(trial), []);
      members.get(key(trial)).push(trial);
    }
    const rates = state.group === "rate" ? distinct([...members.keys()]) : [];
    const seeds = state.group === "seed" ? distinct([...members.keys()]) : [];
    const found = new Map();
    for (const own of members.values()) {
      const group = groupOf(own[0], state.group, rates, seeds);
      found.set(group.key, { ...group, trials: own });
    }
    if (state.group !== "contender") return [...found.values()].sort((a, b) => (a.key > b.key) - (a.key < b.key));
    return task.standings.map((standing) => found.get(standing.contender)).filter(Boolean);
  }

  function describeGroup({ trials, known }) {
    const failed = known?.failed ?? trials.filter((trial) => !["ok", "stopped"].includes(trial.outcome)).length;
    const rates = known ? [known.rate] : distinct(trials.map((trial) => trial.rate));
    const parts = [plural(trials.length, "{n} trial", "{n} trials")];
    if (state.group !== "rate" && rates.length === 1) parts.unshift(say("rate {rate}", { rate: rateName(rates[0]) }));
    if (failed) parts.push(say("{failed} failed", { failed }));
    return parts.reduce((clauses, clause) => say("{clause}, {clauses}", { clause: clauses, clauses: clause }));
  }

  /** The groups of the usual figure as the view knows them, one a contender: all that is drawn until there are trials. */
  function groupsOfView(scale) {
    const curves = task.standings.filter((standing) => standing.curves.chosen !== null).map((standing) => [standing.contender, standing.curves]);
    return curves.map(([contender, { steps, rates, chosen, band }]) => {
      const known = rates[chosen];
      const x = steps.map((step) => Number((step * scale(contender)).toPrecision(6)));
      const sum = { x, mid: known[state.quantity], ...band[state.quantity], n: x.map(() => known.n) };
      return { ...groupOf({ contender }, "contender"), known, sum, trials: Array(known.n) };
    });
  }

  function isUsual() {
    return state.group === "contender" && state.rate === "best" && state.band === "quantiles" && !state.seed && !state.outcome && !state.schedule && chosen.size !== 1;
  }

  function* linesOf(group, y, scale) {
    const quiet = state.group === "contender" && chosen.size > 0 && !chosen.has(group.key);
    const how = state.band === "mean" ? "mean" : "quantiles";
    const sum = group.sum ?? (yield* summarise(group.trials, state.quantity, how, y.worse === "high", scale));
    const weight = Number(state.smooth);
    const line = { x: sum.x, mid: weight ? smoothed(sum.mid, weight) : sum.mid, colour: group.colour, dash: group.dash };
    if (quiet) return [{ ...line, colour: translucent(group.colour, 0.16), width: 1.2 }];
    const lines = [];
    const single = state.band === "each" || (chosen.size === 1 && state.group === "contender" && state.band === "quantiles");
    if (single) {
      const every = Math.ceil((group.trials.length * drawnGroups) / MOST_LINES);
      for (const trial of group.trials.filter((_, i) => i % every === 0)) {
        const values = Array.from(curve(trial, state.quantity), (value) => (Number.isNaN(value) ? null : value));
        const factor = scale(trial.contender);
        const x = trial.block.at.map((step) => Number((step * factor).toPrecision(6)));
        lines.push({ x, mid: weight ? smoothed(values, weight) : values, colour: translucent(group.colour, 0.4), width: 0.8 });
      }
    }
    if (weight) lines.push({ x: sum.x, mid: sum.mid, colour: translucent(group.colour, 0.3), width: 1 });
    const band = state.band === "each" ? {} : { low: sum.low, high: sum.high };
    const width = state.group === "contender" && group.key === task.best ? 2.6 : 1.8;
    lines.push({ ...line, ...band, raw: sum.mid, n: sum.n, label: group.label, key: group.key, width, fill: (chosen.size ? 0.2 : 0.1) * Math.min(1, 13 / drawnGroups), detail: [describeGroup(group)] });
    return lines;
  }

  let drawnGroups = 1;

  function* draw() {
    const all = trialsOf(task);
    const axes = task.axes;
    if (areTrialsHere()) offerAll(all);
    else Object.assign(state, { group: state.group ?? "contender", rate: state.rate ?? "best" });
    if (!areTrialsHere() && !isUsual()) return waitForTrials();
    const loss = state.rate === "best" ? axes.loss.recommended : axes.loss.all;
    const y = vertical(task, state.quantity, loss, axes.metric[state.span], state.y === "log");
    y.band = { mean: say("95 % interval of the mean"), quantiles: say("10–90 % of trials") }[state.band] ?? "";
    const scale = reachOf(state.x, task);
    const groups = areTrialsHere() ? grouped(kept(all)) : groupsOfView(scale);
    const every = Math.ceil(groups.length / MOST_GROUPS);
    const shown = groups.filter((_, i) => i % every === 0);
    drawnGroups = Math.max(1, shown.length);
    const lines = [];
    for (const group of shown.reverse()) {
      lines.push(...(yield* linesOf(group, y, scale)));
      yield;
    }
    lines.sort((a, b) => Boolean(a.label) - Boolean(b.label)); // the background first
    const pick = (line) => state.group === "contender" && isolate(task, line.key);
    lineChart(box, lines, { title: AXES[state.x](), log: state.xscale === "log" }, y, pick);
    caption(groups);
    describe(figure, `${word(task, "title")}: ${y.title}`, () => linesTable(box.picture));
  }

  function waitForTrials() {
    box.chart?.destroy();
    box.chart = null;
    box.replaceChildren(element("p", { class: "empty" }, say("Loading the trials …")));
  }

  function caption(groups) {
    const trials = groups.reduce((sum, group) => sum + group.trials.length, 0);
    const per = groups.length === 1 ? String(trials) : `${Math.min(...groups.map((group) => group.trials.length))}–${Math.max(...groups.map((group) => group.trials.length))}`;
    const n = groups.length && new Set(groups.map((group) => group.trials.length)).size === 1 ? String(groups[0].trials.length) : per;
    const which = state.rate === "best" ? say("at its recommended rate") : state.rate === "" ? say("at all rates") : say("at rate {rate}", { rate: rateName(Number(state.rate)) });
    const lines = {
      quantiles: say("Line: median; band: 10–90 % of the trials. A failed trial counts as the worst: a line along the edge means that most trials diverged."),
      mean: say("Line: mean of the trials still running; band: its 95 % interval by Student’s t."),
      each: say("Thin lines: single trials, at most {most} of {trials}; thick line: their median.", { most: MOST_LINES, trials: counted(trials) }),
    };
    const several = state.group !== "contender" && new Set(task.standings.map((standing) => standing.curves.steps.join())).size > 1;
    const shared = several ? say(" Shown at the steps at which most trials were evaluated; the others are interpolated.") : "";
    const some = groups.length > MOST_GROUPS ? say(" Showing {drawn} of {groups} groups, evenly spaced.", { drawn: drawnGroups, groups: counted(groups.length) }) : "";
    const smooth = Number(state.smooth) ? say(" Smoothed by an exponential average; the raw line stays faintly visible.") : "";
    const by = GROUPS[state.group]();
    figure.querySelector("[data-caption]").textContent = say("One line per {by}, {which}; n = {n} trials each. ", { by, which, n: n || 0 }) + lines[state.band] + some + shared + smooth;
  }

  legend(figure, task);
  steerByKeys(box);
  whenSized(box, draw);
  selections[task.index].watchers.set(box, draw);
}
