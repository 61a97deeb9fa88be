// Two trials side by side: what differs between them, and their curves in one chart.

import { colourOf, nameTag } from "./contenders.js";
import { view } from "./data.js";
import { element } from "./dom.js";
import { outcomeName, say, stageName, word } from "./language.js";
import { lineChart, vertical } from "./line_chart.js";
import { dialValue, distinct, rateName } from "./numbers.js";
import { translucent } from "./theme.js";
import { curve, dialNames } from "./trial_data.js";

export function compareTrials(figure, task, trials, toggle) {
  const box = figure.querySelector(".compare");
  box.hidden = trials.length === 0;
  if (!trials.length) return;
  const title = element("h3", {}, trials.length === 2 ? say("Two trials side by side") : say("One trial; click another to compare"));
  const head = element("tr", {}, element("th", { scope: "col" }), ...trials.map((trial) => element("th", { scope: "col" }, nameTag(trial.contender), closing(trial, toggle))));
  const rows = settingsOf(task, trials).map(([name, values]) => {
    const differs = new Set(values).size > 1;
    return element("tr", { class: differs ? "differs" : "" }, element("th", { scope: "row" }, name), ...values.map((value) => element("td", {}, element("bdi", {}, value))));
  });
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  const charts = ["train_loss", "valid_metric"].map((quantity) => [quantity, element("div", { class: "chart small" })]);
  const note = element("p", { class: "caption" }, say("Bold rows differ. The curves are not smoothed."));
  box.replaceChildren(title, element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title.textContent }, table), element("div", { class: "pair" }, ...charts.map(([, chart]) => chart)), note);
  for (const [quantity, chart] of charts) pairChart(chart, task, trials, quantity);
}

function closing(trial, toggle) {
  const button = element("button", { type: "button", class: "close", "aria-label": say("Remove from the comparison") }, "×");
  button.addEventListener("click", () => toggle(trial));
  return button;
}

/** [name, [value of each trial]], settings first and results after them. */
function settingsOf(task, trials) {
  const of = (name, value) => [name, trials.map((trial) => String(value(trial, view.contenders[trial.contender]) ?? "–"))];
  const keys = distinct(trials.flatMap((trial) => Object.keys(view.contenders[trial.contender].settings))).filter((key) => !dials.includes(key));
  const dials = dialNames(trials);
  return [
    of(say("Optimizer"), (_, contender) => contender.name),
    of(say("Rate"), (trial) => trial.rate),
    ...dials.map((name) => of(name, (trial) => dialValue(trial.dial(name)))),
    ...(dials.includes("schedule") ? [] : [of(say("Schedule"), (_, contender) => contender.schedule)]),
    ...keys.map((key) => of(key, (_, contender) => contender.settings[key])),
    of(say("Batch size"), (trial) => trial.block.batch),
    of(say("Steps"), (trial) => trial.block.steps),
    of(say("Seed"), (trial) => trial.seed),
    of(say("Stage"), (trial) => stageName(trial.stage)),
    of(say("Outcome"), (trial) => (trial.outcome === "ok" ? outcomeName("ok") : `${outcomeName(trial.outcome)}, ${trial.ended}`)),
    of(say("Training loss"), (trial) => trial.train_loss),
    of(say("Validation {metric}", { metric: word(task, "metric") }), (trial) => trial.valid),
    of(say("Test {metric}", { metric: word(task, "metric") }), (trial) => trial.test),
  ];
}

function pairChart(chart, task, trials, quantity) {
  const loss = quantity === "train_loss";
  const y = vertical(task, quantity, task.axes.loss.all, task.axes.metric.all, loss && task.axes.loss.all?.log);
  const lines = trials.map((trial, i) => {
    const contender = view.contenders[trial.contender];
    const values = Array.from(curve(trial, quantity), (value) => (Number.isNaN(value) ? null : value));
    const colour = i && trials[0].contender === trial.contender ? translucent(colourOf(contender), 0.55) : colourOf(contender);
    const label = say("{name}, rate {rate}, seed {seed}", { name: contender.label, rate: rateName(trial.rate), seed: trial.seed });
    return { label, x: trial.block.at, mid: values, colour, dash: i ? [7, 4] : [], width: 2, detail: [] };
  });
  lineChart(chart, lines, { title: say("step"), log: false }, y);
}
