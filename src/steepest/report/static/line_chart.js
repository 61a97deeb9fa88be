// Lines over a shared horizontal axis, on canvas: what all figures of curves are drawn with. `uPlot` is the plot library,
// which stands before our modules as a global name.

import { element } from "./dom.js";
import { say, word } from "./language.js";
import { decades, power, short, withUnit } from "./numbers.js";
import { COLUMN_WIDTH, isPrinting, PAPER_WIDTH } from "./printing.js";
import { paint, translucent } from "./theme.js";
import { hideTip, showTip } from "./tip.js";

/**
 * Draws lines over a shared horizontal axis.
 * lines: [{label, detail, x, mid, low, high, colour, dash, width}]; null in mid, low or high means "failed by then" and
 * is drawn at the edge of the worse side. A line without a label is background. y: {low, high, least, log, worse: "low" |
 * "high", title, unit, band}. picked: called with the line that the reader clicks.
 */
export function lineChart(box, lines, x, y, picked = () => {}) {
  box.chart?.destroy();
  box.chart = null;
  box.picture = { lines, x, y };
  const paper = box.classList.contains("small") ? COLUMN_WIDTH : PAPER_WIDTH;
  const width = isPrinting() ? Math.min(box.clientWidth, paper) : box.clientWidth;
  if (!width) return;
  const xs = [...new Set(lines.flatMap((line) => line.x))].filter((v) => !x.log || v > 0).sort((a, b) => a - b);
  box.replaceChildren();
  if (!xs.length || y.low === undefined) {
    box.append(element("p", { class: "empty" }, say("No curves yet.")));
    return;
  }
  box.append(element("div", { class: "axis-title" }, y.title));
  const low = y.log ? y.least : y.low;
  const edge = y.worse === "high" ? y.high : low;
  const spread = (line, values) => {
    const at = new Map(line.x.map((position, i) => [position, values[i]]));
    const floor = y.log ? low : -Infinity; // a logarithm needs something positive
    return xs.map((v) => (at.has(v) ? Math.max(floor, at.get(v) ?? edge) : null));
  };
  const data = [xs];
  const series = [{}];
  const bands = [];
  const owner = [null]; // series → line
  for (const line of lines) {
    const add = (values, options) => {
      data.push(spread(line, values));
      series.push({ spanGaps: true, points: { show: false }, ...options });
      owner.push(line);
    };
    if (line.low) {
      add(line.low, { stroke: "transparent", width: 0 });
      add(line.high, { stroke: "transparent", width: 0 });
      bands.push({ series: [series.length - 1, series.length - 2], fill: translucent(line.colour, line.fill ?? 0.13) });
    }
    add(line.mid, { stroke: line.colour, width: line.width, dash: line.dash });
    line.main = series.length - 1;
  }
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const font = `${Math.round(rem * 0.76)}px ${getComputedStyle(box).fontFamily}`;
  const soft = paint("--soft");
  const axis = { stroke: soft, font, labelFont: font, ticks: { show: false }, grid: { stroke: paint("--line"), width: 1 } };
  const named = lines.filter((line) => line.label);
  let current = null;

  function follow(u) {
    const { idx, left, top } = u.cursor;
    if (idx === null || idx === undefined || left < 0) return leave(u);
    let nearest = null;
    for (const line of named) {
      const value = u.data[line.main][idx];
      const distance = value === null || value === undefined ? Infinity : Math.abs(u.valToPos(value, "y") - top);
      if (!nearest || distance < nearest.distance) nearest = { line, distance, idx };
    }
    if (!nearest || nearest.distance === Infinity) return leave(u);
    emphasise(u, nearest.line);
    const { line } = nearest;
    const i = line.x.indexOf(xs[idx]);
    const rect = u.over.getBoundingClientRect();
    const text = [`${x.title} ${short(xs[idx])}: ${withUnit(line.raw?.[i] ?? line.mid[i], y.unit)}`];
    if (line.low?.[i] !== undefined) text.push(`${y.band}: ${withUnit(line.low[i], y.unit)} – ${withUnit(line.high[i], y.unit)}`);
    if (line.n) text.push(`n = ${line.n[i]}`);
    showTip(rect.left + left, rect.top + top, line.label, [...text, ...line.detail]);
  }

  function leave(u) {
    hideTip();
    emphasise(u, null);
  }

  function emphasise(u, line) {
    if (line === current) return;
    current = line;
    u.series.forEach((item, i) => (item.alpha = !i || !line || owner[i] === line ? 1 : 0.2));
    u.redraw(false);
  }

  const chart = new uPlot(
    {
      width,
      height: Math.round(Math.max(isPrinting() ? 200 : 300, Math.min(width * 0.45, 30 * rem))),
      series,
      bands,
      legend: { show: false },
      padding: [6, 12, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false } },
      scales: {
        x: { time: false, distr: x.log ? 3 : 1, range: (u, from, to) => [from, to] },
        y: { range: [low, y.high], distr: y.log ? 3 : 1 },
      },
      axes: [
        { ...axis, label: x.title, labelSize: 1.3 * rem, size: 1.8 * rem, ...(x.log ? { splits: decades, values: powers, filter: (u, s) => s } : { values: plain }) },
        { ...axis, size: 3.1 * rem, ...(y.log ? { splits: decades, values: powers, filter: (u, s) => s } : { values: plain }) },
      ],
      hooks: { setCursor: [follow] },
    },
    data,
    box,
  );
  box.chart = chart;
  box.named = named;
  box.pick = () => current && picked(current);
  chart.over.addEventListener("click", () => box.pick()); // uPlot keeps the click that ends a drag
  chart.over.addEventListener("mouseleave", () => leave(chart));
}

function powers(u, marks) {
  return marks.map((mark) => (/^1(e|0|$)|^0\.0*1$/.test(String(mark)) ? power(mark) : short(mark)));
}

function plain(u, marks) {
  return marks.map(short);
}

/** Left and right arrow keys move the cursor of a chart that has the focus, up and down choose the curve, Enter isolates. */
export function steerByKeys(box) {
  let [at, row] = [-1, 0];
  box.addEventListener("keydown", (event) => {
    const u = box.chart;
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
    const turn = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0;
    if (event.key === "Enter") box.pick?.();
    if (!u || !box.named.length || (!move && !turn)) return;
    event.preventDefault();
    row = (row + turn + box.named.length) % box.named.length;
    at = Math.min(u.data[0].length - 1, Math.max(0, at + move));
    const value = u.data[box.named[row].main][at];
    u.setCursor({ left: u.valToPos(u.data[0][at], "x"), top: u.valToPos(value, "y") });
  });
  box.addEventListener("blur", () => box.chart?.setCursor({ left: -10, top: -10 }));
}

/** Whether a quantity can be drawn on a logarithmic axis: a loss, or a metric that is to be small, if positive. */
export function hasLog(task, quantity) {
  return quantity === "train_loss" || (!task.higher_is_better && task.axes.metric.all?.least > 0);
}

export function vertical(task, quantity, loss, metric, log) {
  const unit = task.unit ? `, ${task.unit}` : "";
  if (quantity === "train_loss") return { ...loss, log: log && loss?.least > 0, worse: "high", unit: "", title: say("Training loss ({loss})", { loss: word(task, "loss_name") }) };
  const worse = task.higher_is_better ? "low" : "high";
  return { ...metric, log: log && hasLog(task, quantity), worse, unit: task.unit, title: say("Validation {metric}", { metric: word(task, "metric") + unit }) };
}
