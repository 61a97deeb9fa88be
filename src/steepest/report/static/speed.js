// How fast a contender reaches a target, and how good it is when only few rates are tried.

import { markerAt } from "./contenders.js";
import { controls, offerOptions } from "./controls.js";
import { view } from "./data.js";
import { drawn, element } from "./dom.js";
import { say, word } from "./language.js";
import { decades, distinct, niceMarks, short, withUnit } from "./numbers.js";
import { isPrinting, PAPER_WIDTH } from "./printing.js";
import { describe } from "./saving.js";
import { promptly, whenSized } from "./scheduler.js";
import { selections } from "./selection.js";
import { hideTip, showTip } from "./tip.js";

const ROW_HEIGHT = 26; // pixels of one contender's row

/** A row per contender with a mark where its value lies, on a logarithmic axis; [{contender, value, note}]. */
function dotPlot(box, items, title) {
  const width = Math.max(260, isPrinting() ? Math.min(box.clientWidth, PAPER_WIDTH) : box.clientWidth);
  const names = Math.min(150, width * 0.38);
  const height = items.length * ROW_HEIGHT + 44;
  const known = items.filter((item) => item.value > 0);
  const plot = drawn("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  const [low, high] = known.length ? [Math.min(...known.map((item) => item.value)) / 1.25, Math.max(...known.map((item) => item.value)) * 1.25] : [1, 10];
  const x = (value) => names + (width - names - 64) * (Math.log(value / low) / Math.log(high / low));
  let right = -Infinity; // of the label before
  for (const mark of decades(null, 0, low, high)) {
    plot.append(drawn("line", { class: "grid", x1: x(mark), x2: x(mark), y1: 4, y2: height - 36 }));
    const half = 4 * short(mark).length;
    if (x(mark) - half < right) continue;
    right = x(mark) + half;
    plot.append(drawn("text", { x: x(mark), y: height - 22, "text-anchor": "middle" }, short(mark)));
  }
  items.forEach((item, i) => {
    const contender = view.contenders[item.contender];
    const y = i * ROW_HEIGHT + ROW_HEIGHT / 2 + 4;
    const row = drawn("g", { class: `c${contender.colour}` });
    row.append(drawn("text", { class: "strong", x: names - 10, y: y + 4, "text-anchor": "end" }, contender.label.length > names / 7 ? `${contender.label.slice(0, names / 7 - 1)}…` : contender.label));
    if (item.value > 0) {
      row.append(drawn("line", { class: "stem", x1: names, x2: x(item.value), y1: y, y2: y }));
      row.append(markerAt(contender.marker, x(item.value), y, 5));
      row.append(drawn("text", { x: x(item.value) + 10, y: y + 4 }, short(Number(item.value.toPrecision(3)))));
    } else row.append(drawn("text", { x: names + 4, y: y + 4 }, item.note));
    plot.append(row);
  });
  plot.append(drawn("text", { x: (names + width) / 2, y: height - 4, "text-anchor": "middle" }, title));
  box.replaceChildren(plot);
}

export function targetFigure(figure) {
  const task = view.tasks[figure.dataset.task];
  const box = figure.querySelector(".plotbox");
  const state = controls(figure, () => promptly(box, draw));
  const { chosen, watchers } = selections[task.index];

  function draw() {
    const targets = Object.entries(task.targets);
    offerOptions(figure, state, "target", targets.length ? targets.map(([name, level]) => [name, `${name} (${withUnit(level, task.unit)})`]) : [["", "–"]]);
    const items = task.standings
      .filter((standing) => !chosen.size || chosen.has(standing.contender))
      .map((standing) => {
        const steps = standing.steps_to_target[state.target] ?? null;
        const value = steps === null ? null : state.unit === "seconds" ? (standing.milliseconds === null ? null : (steps * standing.milliseconds) / 1000) : steps;
        return { contender: standing.contender, value, note: say("not reached by half of the replicates") };
      })
      .sort((a, b) => (a.value ?? Infinity) - (b.value ?? Infinity));
    if (!box.clientWidth) return;
    const unit = state.unit === "seconds" ? say("seconds alone on one thread") : say("steps");
    dotPlot(box, items, unit);
    const level = task.targets[state.target];
    figure.querySelector("[data-caption]").textContent = say(
      "Median {unit} until validation {metric} reaches {level}, which is {target} of the way from the untrained model to the reference’s best. Each replicate uses the rate that it picked.",
      { unit, metric: word(task, "metric"), level: withUnit(level ?? null, task.unit), target: state.target },
    );
    const rows = items.map((item) => [view.contenders[item.contender].name, item.value]);
    describe(figure, say("Time to {target}", { target: state.target }), () => [["optimizer", state.unit], ...rows]);
  }

  watchers.set(box, draw);
  whenSized(box, draw);
}

export function bestOfFigure(figure) {
  const task = view.tasks[figure.dataset.task];
  const box = figure.querySelector(".plotbox");
  const { chosen, watchers } = selections[task.index];

  function draw() {
    if (!box.clientWidth) return;
    const shown = task.standings.filter((standing) => !chosen.size || chosen.has(standing.contender));
    const points = shown.map((standing) => Object.entries(standing.best_of).map(([k, value]) => [Number(k), value]).filter(([, value]) => value !== null));
    const values = points.flat().map(([, value]) => value).sort((a, b) => a - b);
    const width = Math.max(260, isPrinting() ? Math.min(box.clientWidth, PAPER_WIDTH) : box.clientWidth);
    const height = Math.round(Math.min(420, Math.max(280, width * 0.6)));
    const plot = drawn("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": say("Expected best of k rates") });
    if (!values.length) return box.replaceChildren(element("p", { class: "empty" }, say("No data yet.")));
    const ks = distinct(points.flat().map(([k]) => k));
    const best = task.higher_is_better ? values[values.length - 1] : values[0];
    const typical = values[Math.floor(values.length / (task.higher_is_better ? 6 : 1.2))];
    const pad = Math.abs(best - typical) * 0.08 || 1;
    const [low, high] = task.higher_is_better ? [typical - pad, best + pad] : [best - pad, typical + pad];
    const [left, top, bottom] = [44, 26, height - 44];
    const named = (contender) => (contender.label.length > 16 ? `${contender.label.slice(0, 15)}…` : contender.label);
    const right = width - 20 - 7.6 * Math.max(...shown.map(({ contender }) => named(view.contenders[contender]).length));
    const x = (k) => left + 8 + (right - left - 16) * (Math.log(k / ks[0]) / (Math.log(ks[ks.length - 1] / ks[0]) || 1));
    const y = (value) => bottom - (bottom - top) * ((value - low) / (high - low));
    const unit = task.unit ? `, ${task.unit}` : "";
    plot.append(drawn("text", { x: 2, y: 12 }, say("Expected test {metric}{unit}", { metric: word(task, "metric"), unit })));
    for (const mark of niceMarks(low, high)) {
      plot.append(drawn("line", { class: "grid", x1: left, x2: right, y1: y(mark), y2: y(mark) }), drawn("text", { x: left - 6, y: y(mark) + 4, "text-anchor": "end" }, short(mark)));
    }
    for (const k of ks) plot.append(drawn("text", { x: x(k), y: height - 26, "text-anchor": "middle" }, String(k)));
    plot.append(drawn("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle" }, say("rates tried, k")));
    const frame = drawn("svg", { x: left, y: top, width: right - left, height: bottom - top, viewBox: `${left} ${top} ${right - left} ${bottom - top}` });
    shown.forEach((standing, i) => {
      const contender = view.contenders[standing.contender];
      if (!points[i].length) return;
      const line = points[i].map(([k, value], j) => `${j ? "L" : "M"}${x(k).toFixed(1)} ${y(value).toFixed(1)}`).join("");
      const group = drawn("g", { class: `c${contender.colour}` }, drawn("path", { class: "curve", d: line, "stroke-dasharray": view.palette.dashes[contender.dash].join(" ") || "none" }));
      for (const [k, value] of points[i]) group.append(markerAt(contender.marker, x(k), y(value), 3.4));
      group.addEventListener("pointermove", (event) => showTip(event.clientX, event.clientY, contender.label, points[i].map(([k, value]) => `k = ${k}: ${withUnit(value, task.unit)}`)));
      group.addEventListener("pointerleave", hideTip);
      frame.append(group);
    });
    plot.append(frame);
    const ends = shown.flatMap((standing, i) => (points[i].length ? [{ contender: view.contenders[standing.contender], y: Math.min(bottom, Math.max(top, y(points[i][points[i].length - 1][1]))) }] : []));
    for (const { contender, y: at, label } of apart(ends, 13, top, bottom)) {
      const group = drawn("g", { class: `c${contender.colour}` }, drawn("path", { class: "leader", d: `M${right} ${at.toFixed(1)}L${right + 12} ${label.toFixed(1)}` }));
      group.append(drawn("text", { class: "strong", x: right + 15, y: label + 4 }, named(contender)));
      plot.append(group);
    }
    box.replaceChildren(plot);
    const rows = shown.flatMap((standing) => Object.entries(standing.best_of).map(([k, value]) => [view.contenders[standing.contender].name, k, value]));
    describe(figure, say("Expected best of k rates"), () => [["optimizer", "k", `expected ${task.metric.en}`], ...rows]);
  }

  watchers.set(box, draw);
  whenSized(box, draw);
}

/** Labels at the ends of lines, moved apart where they would cover each other: each item with `label`, its height. */
function apart(items, gap, top, bottom) {
  const ordered = [...items].sort((a, b) => a.y - b.y);
  let last = top - gap;
  for (const item of ordered) last = item.label = Math.max(item.y, last + gap);
  let next = bottom + gap;
  for (const item of [...ordered].reverse()) next = item.label = Math.min(item.label, next - gap);
  return ordered;
}
