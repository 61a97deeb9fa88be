// Learning curves of one contender at every rate it tried: too small, right, too large.

import { controls, offer, offerOptions } from "./controls.js";
import { view } from "./data.js";
import { drawn, element } from "./dom.js";
import { meant, plural, say } from "./language.js";
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
      const failed = rate.failed ? say("{failed} of {n} failed", rate) : "";
      const stalled = point?.stalled ? say("{stalled} of {n} stalled", { stalled: point.stalled, n: rate.n }) : "";
      lines.push({
        ...{ label: say("rate {rate}", { rate: label }), x: steps, mid: rate[state.quantity], colour },
        ...{ width: i === chosen ? 3.4 : 1.6, dash: 2 * rate.failed > rate.n ? [5, 4] : [] },
        detail: [plural(rate.n, "median of {n} seed", "median of {n} seeds"), failed, stalled, i === chosen ? meant("a rate", "recommended") : ""].filter(Boolean),
      });
      const line = drawn("svg", { width: 22, height: 10, "aria-hidden": "true" });
      line.append(drawn("line", { x1: 1, x2: 21, y1: 5, y2: 5, stroke: colour, "stroke-width": i === chosen ? 3.4 : 2, "stroke-dasharray": 2 * rate.failed > rate.n ? "5 4" : "none" }));
      const name = element("span", { class: i === chosen ? "chosen" : "" }, line, label + (i === chosen ? say(" recommended") : ""));
      if (rate.failed) name.append(element("small", { class: "lost" }, failed));
      else if (stalled) name.append(element("small", {}, stalled));
      key.append(name);
    });
    lineChart(box, lines, { title: say("step"), log: false }, y);
    describe(figure, `${view.contenders[standing.contender].name}: ${y.title}`, () => linesTable(box.picture));
  }

  steerByKeys(box);
  whenSized(box, draw);
}
