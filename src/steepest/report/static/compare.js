// Two trials side by side: what differs between them, and their curves in one chart.

import { colourOf, nameTag } from "./contenders.js";
import { view } from "./data.js";
import { element } from "./dom.js";
import { both, outcomeName, stageName, word } from "./language.js";
import { lineChart, vertical } from "./line_chart.js";
import { distinct, rateName } from "./numbers.js";
import { translucent } from "./theme.js";
import { curve } from "./trial_data.js";

export function compareTrials(figure, task, trials, toggle) {
  const box = figure.querySelector(".compare");
  box.hidden = trials.length === 0;
  if (!trials.length) return;
  const title = element("h3", {}, trials.length === 2 ? both("Two trials side by side", "两次训练并列") : both("One trial; click another to compare", "一次训练；再点另一次进行比较"));
  const head = element("tr", {}, element("th", { scope: "col" }), ...trials.map((trial) => element("th", { scope: "col" }, nameTag(trial.contender), closing(trial, toggle))));
  const rows = settingsOf(task, trials).map(([name, values]) => {
    const differs = new Set(values).size > 1;
    return element("tr", { class: differs ? "differs" : "" }, element("th", { scope: "row" }, name), ...values.map((value) => element("td", {}, element("bdi", {}, value))));
  });
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  const charts = ["train_loss", "valid_metric"].map((quantity) => [quantity, element("div", { class: "chart small" })]);
  const note = element("p", { class: "caption" }, both("Rows in bold differ. Curves are those of the single trials, unsmoothed.", "加粗的行有差别。曲线是单次训练的原始曲线，未平滑。"));
  box.replaceChildren(title, element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title.textContent }, table), element("div", { class: "pair" }, ...charts.map(([, chart]) => chart)), note);
  for (const [quantity, chart] of charts) pairChart(chart, task, trials, quantity);
}

function closing(trial, toggle) {
  const button = element("button", { type: "button", class: "close", "aria-label": both("Remove from the comparison", "移出比较") }, "×");
  button.addEventListener("click", () => toggle(trial));
  return button;
}

/** [name, [value of each trial]], settings first and results after them. */
function settingsOf(task, trials) {
  const of = (name, value) => [name, trials.map((trial) => String(value(trial, view.contenders[trial.contender]) ?? "–"))];
  const keys = distinct(trials.flatMap((trial) => Object.keys(view.contenders[trial.contender].settings)));
  return [
    of(both("Optimizer", "优化器"), (_, contender) => contender.name),
    of(both("Rate", "学习率"), (trial) => trial.rate),
    of(both("Schedule", "调度"), (_, contender) => contender.schedule),
    ...keys.map((key) => of(key, (_, contender) => contender.settings[key])),
    of(both("Batch size", "批大小"), (trial) => trial.block.batch),
    of(both("Steps", "步数"), (trial) => trial.block.steps),
    of(both("Seed", "随机种子"), (trial) => trial.seed),
    of(both("Stage", "阶段"), (trial) => stageName(trial.stage)),
    of(both("Outcome", "结局"), (trial) => (trial.outcome === "ok" ? outcomeName("ok") : `${outcomeName(trial.outcome)}, ${trial.ended}`)),
    of(both("Training loss", "训练损失"), (trial) => trial.train_loss),
    of(both("Validation ", "验证") + word(task, "metric"), (trial) => trial.valid),
    of(both("Test ", "测试") + word(task, "metric"), (trial) => trial.test),
  ];
}

function pairChart(chart, task, trials, quantity) {
  const loss = quantity === "train_loss";
  const y = vertical(task, quantity, task.axes.loss.all, task.axes.metric.all, loss && task.axes.loss.all?.log);
  const lines = trials.map((trial, i) => {
    const contender = view.contenders[trial.contender];
    const values = Array.from(curve(trial, quantity), (value) => (Number.isNaN(value) ? null : value));
    const colour = i && trials[0].contender === trial.contender ? translucent(colourOf(contender), 0.55) : colourOf(contender);
    const label = `${contender.label}, ${both("rate", "学习率")} ${rateName(trial.rate)}, ${both("seed", "随机种子")} ${trial.seed}`;
    return { label, x: trial.block.at, mid: values, colour, dash: i ? [7, 4] : [], width: 2, detail: [] };
  });
  lineChart(chart, lines, { title: both("step", "步"), log: false }, y);
}
