// Charts as SVG: curves over steps, and the points of the regression with the lines fitted so far.

import { facts } from "./data.js";
import { shape } from "./draw.js";
import { number } from "./numbers.js";

const EDGE = { left: 58, right: 12, top: 10, bottom: 30 };

// Round values on a logarithmic axis: powers of ten, and where there are few of them, twice and five times as much.
function tens(low, high) {
  const first = Math.ceil(low - 1e-9), last = Math.floor(high + 1e-9), every = Math.max(1, Math.ceil((last - first) / 5));
  const marks = [];
  for (let power = first; power <= last; power += every) marks.push(10 ** power);
  if (marks.length > 2) return marks;
  for (let k = first - 1; k <= last; k++) marks.push(2 * 10 ** k, 5 * 10 ** k);
  return marks.filter((mark) => Math.log10(mark) >= low - 1e-9 && Math.log10(mark) <= high + 1e-9);
}

// The steps through which a line is drawn: of equal codes in a row that differ by one from their neighbours, the middle
// one, so that rounding makes no stairs.
function joints(values, end, decade) {
  const steps = [], near = (a, b) => a > 0 && b > 0 && Math.abs(Math.log10(a / b)) * decade < 1.5;
  for (let from = 0; from <= end; ) {
    let to = from;
    while (to < end && values[to + 1] === values[from]) to++;
    const before = from > 0 && near(values[from - 1], values[from]), after = to < end && near(values[to + 1], values[to]);
    if (from === to) steps.push(from);
    else if (before && after) steps.push((from + to) / 2);
    else if (before) steps.push((from + to) / 2, to);
    else if (after) steps.push(from, (from + to) / 2);
    else steps.push(from, to);
    from = to + 1;
  }
  return steps;
}

// A chart over steps with a logarithmic height; `series` are {values, end, look}, with 0 where there is nothing, and
// `decade` is how finely a factor of ten was kept. Returns what moves the cursor.
export function logChart(svg, series, decade, onPick) {
  const wide = svg.clientWidth || 400, high = svg.clientHeight || 220;
  svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
  const known = series.flatMap(({ values, end }) => Array.from(values.slice(0, end + 1)).filter((v) => v > 0));
  const least = Math.log10(Math.min(1, ...known)), most = Math.log10(Math.max(...known, 10 ** least * 10));
  const low = least - 0.04 * (most - least), top = most + 0.04 * (most - least); // no line lies on the frame
  const X = (t) => EDGE.left + (t / facts.steps) * (wide - EDGE.left - EDGE.right);
  const Y = (v) => EDGE.top + ((top - Math.log10(v)) / (top - low || 1)) * (high - EDGE.top - EDGE.bottom);
  const parts = [];
  for (const mark of tens(low, top)) {
    parts.push(shape("line", { class: "grid", x1: EDGE.left, x2: wide - EDGE.right, y1: Y(mark), y2: Y(mark) }));
    parts.push(shape("text", { class: "tick", x: EDGE.left - 6, y: Y(mark) + 4, "text-anchor": "end" }, number(mark)));
  }
  for (let t = 0; t <= facts.steps; t += 50) {
    parts.push(shape("text", { class: "tick", x: X(t), y: high - 9, "text-anchor": "middle" }, String(t)));
  }
  const line = ({ values, through }, until) => {
    const steps = through.filter((t) => t <= until && values[Math.floor(t)] > 0);
    return steps.map((t) => `${X(t).toFixed(1)},${Y(values[Math.floor(t)]).toFixed(1)}`).join(" ");
  };
  const lines = series.map((each) => {
    each.through = joints(each.values, each.end, decade);
    parts.push(shape("polyline", { class: `ahead c${each.look.colour}`, points: line(each, facts.steps) }));
    const done = shape("polyline", { class: `done c${each.look.colour}`, "stroke-dasharray": each.look.dash });
    parts.push(done);
    return done;
  });
  const cursor = shape("line", { class: "cursor", y1: EDGE.top, y2: high - EDGE.bottom });
  svg.replaceChildren(...parts, cursor);
  svg.onpointerdown = svg.onpointermove = (event) => {
    if (event.type === "pointerdown" || event.buttons) {
      onPick(((event.clientX - svg.getBoundingClientRect().left - EDGE.left) / (wide - EDGE.left - EDGE.right)) * facts.steps);
    }
  };
  return (t) => {
    cursor.setAttribute("x1", X(t));
    cursor.setAttribute("x2", X(t));
    series.forEach((each, i) => lines[i].setAttribute("points", line(each, t)));
  };
}

// The points of the regression, and the line of each run at a step.
export function fitChart(svg, runs) {
  const wide = svg.clientWidth || 400, high = svg.clientHeight || 220;
  svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
  const X = (x) => EDGE.left + x * (wide - EDGE.left - EDGE.right), Y = (y) => EDGE.top + ((6 - y) / 7) * (high - EDGE.top - EDGE.bottom);
  const parts = [0, 2, 4, 6].flatMap((y) => [
    shape("line", { class: "grid", x1: EDGE.left, x2: wide - EDGE.right, y1: Y(y), y2: Y(y) }),
    shape("text", { class: "tick", x: EDGE.left - 6, y: Y(y) + 4, "text-anchor": "end" }, String(y)),
  ]);
  for (const x of [0, 0.5, 1]) {
    parts.push(shape("text", { class: "tick", x: X(x), y: high - 9, "text-anchor": "middle" }, String(x)));
  }
  parts.push(...facts.points.map(([x, y]) => shape("circle", { class: "point", cx: X(x), cy: Y(y), r: 2.2 })));
  const lines = runs.map(({ look }) => shape("line", { class: `done c${look.colour}`, "stroke-dasharray": look.dash, x1: X(0), x2: X(1) }));
  const [x, y, width, height] = [EDGE.left, Y(6), wide - EDGE.left - EDGE.right, Y(-1) - Y(6)];
  const frame = shape("svg", { x, y, width, height, viewBox: `${x} ${y} ${width} ${height}` }); // cuts what leaves it
  frame.append(...lines);
  svg.replaceChildren(...parts, frame);
  return (t) =>
    runs.forEach(({ path }, i) => {
      const at = Math.min(t, path.end), w = path.w[0][at], b = path.w[1][at];
      lines[i].setAttribute("y1", Y(b));
      lines[i].setAttribute("y2", Y(w + b));
    });
}
