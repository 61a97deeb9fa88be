// Why: what the study measured inside its trials, one small chart for each quantity that the view holds.

import { colourOf } from "./contenders.js";
import { view } from "./data.js";
import { element } from "./dom.js";
import { say, word } from "./language.js";
import { lineChart, steerByKeys } from "./line_chart.js";
import { describe, linesTable, saving } from "./saving.js";
import { whenSized } from "./scheduler.js";
import { isolate, legend, selections } from "./selection.js";

/** task.probes: [{title, caption, unit, log, series: [{contender, steps, mid, low, high, n}]}] in every language. */
export function diagnosisFigure(section) {
  const task = view.tasks[section.dataset.task];
  const box = section.querySelector(".probes");
  const { chosen, watchers } = selections[task.index];

  function* draw() {
    const probes = task.probes ?? [];
    section.hidden = probes.length === 0;
    const link = document.querySelector("[data-part=diagnosis]");
    if (link) link.hidden = view.tasks.every((other) => !other.probes?.length);
    if (section.hidden || !box.clientWidth) return;
    while (box.children.length < probes.length) box.append(probeFigure(task, box.children.length));
    for (const [i, probe] of probes.entries()) {
      drawProbe(box.children[i], task, probe, chosen);
      yield;
    }
  }

  legend(section, task);
  watchers.set(section, draw);
  whenSized(section, draw);
}

function probeFigure(task, i) {
  const chart = element("div", { class: "chart small", role: "img", tabindex: "0" });
  const forms = ["PNG", "SVG", "CSV"].map((form) => element("button", { type: "button", "data-save": form.toLowerCase() }, form));
  const figure = element("figure", { "data-task": task.index }, element("h3"), chart, element("figcaption"), element("p", { class: "take" }, ...forms));
  figure.dataset.figure = `diagnosis-${i + 1}`;
  steerByKeys(chart);
  saving(figure);
  return figure;
}

function drawProbe(figure, task, probe, chosen) {
  const [title, chart, caption] = figure.children;
  title.textContent = word(probe, "title");
  const n = Math.max(...probe.series.flatMap((line) => line.n));
  const what = say(" Line: median of up to {n} seeds at the recommended rate; band: minimum to maximum.", { n });
  caption.textContent = (word(probe, "caption") ?? "") + what;
  chart.setAttribute("aria-label", say("{title}. Left and right arrow keys move the cursor, up and down choose the curve.", { title: word(probe, "title") }));
  const series = probe.series.filter((line) => !chosen.size || chosen.has(line.contender));
  const values = series.flatMap((line) => [...line.mid, ...line.low, ...line.high]).filter((value) => value !== null && (!probe.log || value > 0));
  const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const pad = 0.05 * (high - low) || 0.5 * Math.abs(high) || 1;
  const range = probe.log ? { low: low / 1.2, least: low / 1.2, high: high * 1.2 } : { low: low - pad, high: high + pad };
  const unit = word(probe, "unit") ?? "";
  const y = { ...range, log: Boolean(probe.log), worse: "high", unit: "", title: unit, band: say("minimum and maximum") };
  const lines = series.map((line) => {
    const contender = view.contenders[line.contender];
    const seen = line.steps.map((_, i) => i).filter((i) => line.mid[i] !== null); // a measurement without a value does not mean a failure
    const at = (row) => seen.map((i) => row[i]);
    const look = { colour: colourOf(contender), dash: view.palette.dashes[contender.dash], width: 1.8 };
    return { label: contender.label, key: line.contender, x: at(line.steps), mid: at(line.mid), low: at(line.low), high: at(line.high), n: at(line.n), ...look, detail: [] };
  });
  lineChart(chart, lines, { title: say("step"), log: false }, y, (line) => isolate(task, line.key));
  describe(figure, `${word(task, "title")}: ${word(probe, "title")}`, () => linesTable(chart.picture));
}
