// Rate sensitivity as SVG: one panel per contender or all together, with what lies at the edges drawn there.

import { markerAt, nameTag } from "./contenders.js";
import { controls } from "./controls.js";
import { view } from "./data.js";
import { drawn, element } from "./dom.js";
import { plural, say, stageName, word } from "./language.js";
import { decades, power, short } from "./numbers.js";
import { describe } from "./saving.js";
import { promptly, whenSized } from "./scheduler.js";
import { legend, selections } from "./selection.js";
import { hideTip, showTip } from "./tip.js";

const MARGIN = { left: 34, right: 8, top: 8, bottom: 50 };
const LANE_HEIGHT = 15; // height of the lane of failures under the curve; the picks have the same below it

/** Maps of a panel: rate → x, clamped to the axis, and metric → y, which may lie outside the frame. */
function panelScales(task, range, width, height) {
  const rates = task.axes.rate;
  const domain = task.axes.sensitivity[range];
  const metric = domain.log ? { ...domain, low: 0.85 * domain.least, high: 1.25 * domain.high, ticks: decades(null, 0, domain.least, domain.high) } : domain;
  const inner = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  const clamp = (share) => Math.min(1, Math.max(0, share));
  const span = Math.log(rates.high / rates.low);
  return {
    ...inner,
    rates,
    metric,
    fails: inner.bottom + LANE_HEIGHT / 2 + 1,
    picks: inner.bottom + 2 * LANE_HEIGHT,
    x: (rate) => inner.left + (inner.right - inner.left) * clamp(Math.log(rate / rates.low) / span),
    y: (value) => inner.bottom - (inner.bottom - inner.top) * along(metric, value),
    frame: () => {
      const [w, h] = [inner.right - inner.left, inner.bottom - inner.top];
      return drawn("svg", { x: inner.left, y: inner.top, width: w, height: h, viewBox: `${inner.left} ${inner.top} ${w} ${h}` });
    },
    worse: task.higher_is_better ? inner.bottom : inner.top,
    outside: (value) => value < metric.low || value > metric.high,
  };
}

/** Where a value lies on a linear or logarithmic axis: 0 at its low end, 1 at its high end. */
function along({ low, high, log }, value) {
  return log ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : (value - low) / (high - low);
}

/** Frame, grid and labels. */
function panelAxes(plot, s, width) {
  const few = s.rates.ticks.filter((_, i) => (width > 500 ? true : i % 2 === s.rates.ticks.length % 2));
  for (const tick of s.metric.ticks) {
    plot.append(drawn("line", { class: "grid", x1: s.left, x2: s.right, y1: s.y(tick), y2: s.y(tick) }));
    plot.append(drawn("text", { x: s.left - 5, y: s.y(tick) + 3.5, "text-anchor": "end" }, short(tick)));
  }
  plot.append(drawn("line", { class: "frame", x1: s.left, x2: s.right, y1: s.bottom, y2: s.bottom }));
  for (const tick of few) {
    plot.append(drawn("line", { class: "frame", x1: s.x(tick), x2: s.x(tick), y1: s.picks, y2: s.picks + 3 }));
    plot.append(drawn("text", { x: s.x(tick), y: s.picks + 14, "text-anchor": "middle" }, power(tick)));
  }
  plot.append(drawn("line", { class: "frame", x1: s.left, x2: s.right, y1: s.picks, y2: s.picks }));
}

/** The points of the curve: rates that at least half of the seeds tried. */
function onCurve({ points }) {
  const most = Math.max(...points.map((point) => point.n));
  return points.filter((point) => 2 * point.n >= most);
}

/** Tinted regions: not searched, safe, mostly stalled, mostly failed. */
function panelRegions(plot, s, standing) {
  const points = onCurve(standing);
  if (!points.length) return;
  const half = (i, j) => Math.sqrt(points[i].rate * points[j].rate);
  const last = points.length - 1;
  const ends = [points[0].rate / 1.45, points[last].rate * 1.45]; // a sixth of a decade beyond the outer rates
  const from = (i) => s.x(i === 0 ? ends[0] : half(i - 1, i));
  const to = (i) => s.x(i === last ? ends[1] : half(i, i + 1));
  const fill = (kind, x1, x2, bottom = s.bottom) => {
    if (x2 > x1) plot.append(drawn("rect", { class: kind, x: x1, y: s.top, width: x2 - x1, height: bottom - s.top }));
  };
  fill("beyond", s.left, s.x(ends[0]), s.picks);
  fill("beyond", s.x(ends[1]), s.right, s.picks);
  if (standing.safe_rates) fill("safe", s.x(standing.safe_rates[0]), s.x(standing.safe_rates[1]));
  points.forEach((point, i) => {
    if (2 * point.failed > point.n) fill("diverged", from(i), to(i), s.bottom + LANE_HEIGHT);
    else if (2 * point.stalled > point.n) fill("stalled", from(i), to(i));
  });
}

function pathOf(points, s) {
  return points.filter((point) => point.valid).map((point, i) => `${i ? "L" : "M"}${s.x(point.rate).toFixed(1)} ${s.y(point.valid.value).toFixed(1)}`).join("");
}

/** The curve of one contender: means with intervals, the fall to the edge, and the recommended rate. */
function panelCurve(plot, s, standing, detail) {
  const contender = view.contenders[standing.contender];
  const frame = s.frame(); // clips what lies outside
  const group = drawn("g", { class: `c${contender.colour}` });
  const points = onCurve(standing);
  points.forEach((point, i) => {
    for (const next of [points[i - 1], points[i + 1]]) {
      if (point.valid || !next?.valid) continue;
      const [x1, y1, x2] = [s.x(next.rate), s.y(next.valid.value), s.x(point.rate)];
      group.append(drawn("line", { class: detail ? "fall" : "fall own", x1, y1, x2, y2: s.worse }));
    }
  });
  if (standing.rate && detail) {
    const x = s.x(standing.rate);
    group.append(drawn("line", { class: "recommended", x1: x, x2: x, y1: s.top, y2: s.picks }));
  }
  const dash = view.palette.dashes[contender.dash].join(" ");
  group.append(drawn("path", { class: "curve", d: pathOf(points, s), "stroke-dasharray": dash || "none" }));
  for (const point of points) {
    if (!point.valid) continue;
    const [x, y] = [s.x(point.rate), s.y(point.valid.value)];
    if (detail && point.valid.low !== null) {
      group.append(drawn("line", { class: "whisker", x1: x, x2: x, y1: s.y(point.valid.low), y2: s.y(point.valid.high) }));
    }
    if (!s.outside(point.valid.value)) {
      const mark = detail || point.stalled ? markerAt(point.stalled ? "circle" : contender.marker, x, y, detail ? 3 : 2.4) : null;
      if (mark && 2 * point.stalled > point.n) mark.firstChild.setAttribute("class", "hollow");
      if (mark) group.append(mark);
    }
  }
  const best = points.filter((point) => point.valid && standing.rate).sort((a, b) => Math.abs(Math.log(a.rate / standing.rate)) - Math.abs(Math.log(b.rate / standing.rate)))[0];
  if (best) group.append(markerAt(contender.marker, s.x(best.rate), s.y(best.valid.value), 5));
  frame.append(group);
  plot.append(frame);
}

/** The other contenders, faintly, to compare with. */
function panelGhosts(plot, s, others) {
  const frame = s.frame();
  frame.append(...others.map((other) => drawn("path", { class: "ghost", d: pathOf(onCurve(other), s) })));
  plot.append(frame);
}

/** Under the curve: × where trials failed, the paler the fewer; bars for the replicates that picked a rate. */
function panelLanes(plot, s, standing) {
  const most = Math.max(1, ...standing.points.map((point) => point.picked));
  for (const point of standing.points) {
    const x = s.x(point.rate);
    if (point.failed) {
      const opacity = 0.35 + (0.65 * point.failed) / point.n;
      plot.append(drawn("path", { class: "failure", d: `M${x - 3} ${s.fails - 3}l6 6m0 -6l-6 6`, opacity }));
    }
    if (point.picked) {
      plot.append(drawn("line", { class: "pick", x1: x, x2: x, y1: s.picks, y2: s.picks - (LANE_HEIGHT - 3) * (point.picked / most) }));
    }
  }
}

function describePoint(task, standing, point) {
  const lines = [
    point.valid ? `${say("validation {metric}", { metric: word(task, "metric") })} ${point.valid.text}${task.unit ? " " + task.unit : ""} ${point.valid.interval}` : say("no trial finished"),
    say("{n} trials, {failed} failed, {stalled} stalled", point),
  ];
  if (point.picked) lines.push(plural(point.picked, "picked by {n} replicate", "picked by {n} replicates"));
  return lines;
}

/** Tip for the point nearest to the pointer, among the contenders of one panel. */
function followPanel(plot, s, task, standings) {
  const box = plot.viewBox.baseVal;
  plot.addEventListener("pointermove", (event) => {
    const rect = plot.getBoundingClientRect();
    const [x, y] = [((event.clientX - rect.left) * box.width) / rect.width, ((event.clientY - rect.top) * box.height) / rect.height];
    const all = standings.flatMap((standing) => standing.points.map((point) => ({ standing, point })));
    const distance = ({ point }) => Math.hypot(s.x(point.rate) - x, standings.length > 1 ? (point.valid ? s.y(point.valid.value) : s.worse) - y : 0);
    const nearest = all.sort((a, b) => distance(a) - distance(b))[0];
    if (!nearest) return;
    const { standing, point } = nearest;
    showTip(event.clientX, event.clientY, `${view.contenders[standing.contender].label}, ${say("rate {rate}", { rate: point.text })}`, describePoint(task, standing, point));
  });
  plot.addEventListener("pointerleave", hideTip);
}

function panel(task, standing, range) {
  const [width, height] = [268, 196];
  const s = panelScales(task, range, width, height);
  const contender = view.contenders[standing.contender];
  const label = say("{name}: recommended rate {rate}, safe from {safe}, {failed} of {trials} trials failed", {
    ...{ name: contender.label, rate: standing.rate_text, safe: word(standing, "safe_text") },
    ...{ failed: standing.failed_trials, trials: standing.trials },
  });
  const plot = drawn("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  panelRegions(plot, s, standing);
  panelAxes(plot, s, width);
  panelGhosts(plot, s, task.standings.filter((other) => other !== standing));
  panelCurve(plot, s, standing, true);
  panelLanes(plot, s, standing);
  followPanel(plot, s, task, [standing]);
  const rate = element("b", {}, standing.rate_text);
  if (standing.untuned) rate.prepend(element("span", { class: "flag" }, say("untuned")), " ");
  const title = element("header", {}, nameTag(standing.contender), rate);
  return element("div", { class: "panel" }, title, plot);
}

function overlay(task, standings, range, width) {
  const height = Math.round(Math.max(320, Math.min(width * 0.48, 560)));
  const s = panelScales(task, range, width, height);
  const plot = drawn("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": say("Validation {metric} by rate, all optimizers", { metric: word(task, "metric") }) });
  if (standings.length === 1) panelRegions(plot, s, standings[0]);
  panelAxes(plot, s, width);
  panelGhosts(plot, s, task.standings.filter((other) => !standings.includes(other)));
  for (const standing of [...standings].reverse()) panelCurve(plot, s, standing, standings.length <= 3);
  if (standings.length === 1) panelLanes(plot, s, standings[0]);
  else for (const standing of standings) {
    for (const point of standing.points) {
      if (!point.failed) continue;
      const colour = view.contenders[standing.contender].colour;
      plot.append(drawn("path", { class: `failure c${colour}`, d: `M${s.x(point.rate) - 3} ${s.fails - 3}l6 6m0 -6l-6 6`, opacity: 0.25 + (0.6 * point.failed) / point.n }));
    }
  }
  followPanel(plot, s, task, standings);
  return plot;
}

/** The figure's numbers, for a table under it and for a file. */
function ratesTable(task) {
  const head = ["optimizer", "rate", "stage", `validation ${task.metric.en}`, "low", "high", "trials", "failed", "stalled", "picked by"];
  const rows = task.standings.flatMap((standing) =>
    standing.points.map((point) => [
      ...[view.contenders[standing.contender].name, point.rate, point.stage, point.valid?.value ?? null, point.valid?.low ?? null],
      ...[point.valid?.high ?? null, point.n, point.failed, point.stalled, point.picked],
    ]),
  );
  return [head, ...rows];
}

/** The table under the figure, while it is open. */
function fillRates(figure, task) {
  if (!figure.querySelector("details").open) return;
  const rows = task.standings.flatMap((standing) =>
    standing.points.map((point) => {
      const cells = [point.text, stageName(point.stage), point.valid?.text ?? "–", point.valid?.interval ?? "–", point.n, point.failed, point.stalled, point.picked];
      const name = element("th", { scope: "row" }, element("bdi", {}, view.contenders[standing.contender].label));
      return element("tr", {}, name, ...cells.map((cell, i) => element("td", i === 1 ? {} : { class: "n" }, String(cell))));
    }),
  );
  figure.querySelector("[data-rates]").replaceChildren(...rows);
}

export function ratesFigure(figure) {
  const task = view.tasks[figure.dataset.task];
  const selection = selections[task.index];
  const box = figure.querySelector(".panels");
  const state = controls(figure, () => promptly(box, draw));

  function* draw() {
    if (!box.clientWidth) return;
    const { chosen } = selection;
    const standings = task.standings.filter((standing) => !chosen.size || chosen.has(standing.contender));
    box.classList.toggle("overlay", state.layout === "overlay");
    fillRates(figure, task);
    describe(figure, say("Validation {metric} by learning rate", { metric: word(task, "metric") }), () => ratesTable(task));
    if (!task.axes.rate || !task.axes.sensitivity[state.range]) return;
    const plots = [];
    if (state.layout === "overlay") plots.push(overlay(task, standings, state.range, box.clientWidth));
    else {
      for (const standing of standings) {
        plots.push(panel(task, standing, state.range));
        yield;
      }
    }
    box.replaceChildren(...plots);
  }

  legend(figure, task);
  whenSized(box, draw);
  selection.watchers.set(box, draw);
  figure.querySelector("details").addEventListener("toggle", () => fillRates(figure, task));
}
