// Learning curves of one contender at every rate it tried: too small, right, too large.

import { controls, offer, offerOptions } from "./controls.js";
import { view } from "./data.js";
import { drawn, element } from "./dom.js";
import { both } from "./language.js";
import { hasLog, lineChart, steerByKeys, vertical } from "./line_chart.js";
import { short } from "./numbers.js";
import { describe, linesTable } from "./saving.js";
import { promptly, whenSized } from "./scheduler.js";
import { ramp } from "./theme.js";

export function eachRateFigure(figure) {
  const task = view.tasks[figure.dataset.task];
  const box = figure.querySelector(".chart");
  const key = figure.querySelector(".ramp");
  const state = controls(figure, () => promptly(box, draw));

  function draw() {
    offerOptions(figure, state, "contender", task.standings.map(({ contender }) => [contender, view.contenders[contender].label]));
    offer(figure, "y", hasLog(task, state.quantity));
    const standing = task.standings.find((item) => item.contender === Number(state.contender));
    const { steps, rates, chosen } = standing.curves;
    const y = vertical(task, state.quantity, task.axes.loss.all, task.axes.metric.all, state.y === "log");
    const lines = [];
    key.replaceChildren();
    rates.forEach((rate, i) => {
      const span = Math.log(rates[rates.length - 1].rate / rates[0].rate) || 1;
      const colour = ramp(Math.log(rate.rate / rates[0].rate) / span);
      const point = standing.points.find((item) => Math.abs(item.rate / rate.rate - 1) < 1e-4);
      const label = point ? point.text : short(rate.rate);
      const failed = rate.failed ? both(`${rate.failed} of ${rate.n} failed`, `${rate.n} 次中 ${rate.failed} 次失败`) : "";
      const stalled = point?.stalled ? both(`${point.stalled} of ${rate.n} stalled`, `${rate.n} 次中 ${point.stalled} 次停滞`) : "";
      lines.push({
        ...{ label: `${both("rate", "学习率")} ${label}`, x: steps, mid: rate[state.quantity], colour },
        ...{ width: i === chosen ? 3.4 : 1.6, dash: 2 * rate.failed > rate.n ? [5, 4] : [] },
        detail: [both(`median of ${rate.n} seeds`, `${rate.n} 个随机种子的中位数`), failed, stalled, i === chosen ? both("recommended", "推荐") : ""].filter(Boolean),
      });
      const line = drawn("svg", { width: 22, height: 10, "aria-hidden": "true" });
      line.append(drawn("line", { x1: 1, x2: 21, y1: 5, y2: 5, stroke: colour, "stroke-width": i === chosen ? 3.4 : 2, "stroke-dasharray": 2 * rate.failed > rate.n ? "5 4" : "none" }));
      const name = element("span", { class: i === chosen ? "chosen" : "" }, line, label + (i === chosen ? both(" recommended", " 推荐") : ""));
      if (rate.failed) name.append(element("small", { class: "lost" }, failed));
      else if (stalled) name.append(element("small", {}, stalled));
      key.append(name);
    });
    lineChart(box, lines, { title: both("step", "步"), log: false }, y);
    describe(figure, `${view.contenders[standing.contender].name}: ${y.title}`, () => linesTable(box.picture));
  }

  steerByKeys(box);
  whenSized(box, draw);
}
