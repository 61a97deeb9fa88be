// Learning curves on canvas (uPlot): all contenders at their recommended rates, and one contender at every rate.

const PAPER = 680; // pixels across a printed page

/**
 * Draws lines over a shared horizontal axis.
 * lines: [{label, detail, x, mid, low, high, colour, dash, width, quiet}]; null in mid, low or high means "failed by
 * then" and is drawn at the edge of the worse side. y: {low, high, least, log, worse: "low" | "high", title, unit}.
 */
function lineChart(box, lines, x, y) {
  box.chart?.destroy();
  const width = printing ? Math.min(box.clientWidth, PAPER) : box.clientWidth;
  if (!width) return;
  const xs = [...new Set(lines.flatMap((line) => line.x))].filter((v) => !x.log || v > 0).sort((a, b) => a - b);
  box.replaceChildren();
  if (!xs.length || y.low === undefined) {
    box.append(element("p", { class: "empty" }, "No curves yet."));
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
    const text = [`${x.title} ${short(xs[idx])}: ${withUnit(line.mid[i], y.unit)}`];
    if (line.low) text.push(`10–90 % of seeds: ${withUnit(line.low[i], y.unit)} to ${withUnit(line.high[i], y.unit)}`);
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
      height: Math.round(Math.max(300, Math.min(width * 0.45, 30 * rem))),
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
        { ...axis, size: 3.1 * rem, ...(y.log ? { splits: decades, values: plain, filter: (u, s) => s } : { values: plain }) },
      ],
      hooks: { setCursor: [follow] },
    },
    data,
    box,
  );
  box.chart = chart;
  chart.over.addEventListener("mouseleave", () => leave(chart));
}

/** Marks of a logarithmic axis: powers of ten, with 2 and 5 between them where there are few. */
function decades(u, axis, low, high) {
  const marks = [];
  const wide = Math.log10(high / low) > 2.5;
  for (let k = Math.floor(Math.log10(low)); k <= Math.ceil(Math.log10(high)); k++) {
    for (const m of wide ? [1] : [1, 2, 5]) marks.push(Number(`${m}e${k}`));
  }
  return marks.filter((mark) => mark >= low && mark <= high);
}

function powers(u, marks) {
  return marks.map((mark) => (/^1(e|0|$)|^0\.0*1$/.test(String(mark)) ? power(mark) : short(mark)));
}

function plain(u, marks) {
  return marks.map(short);
}

/** Left and right arrow keys move the cursor of a chart that has the focus. */
function steerByKeys(box) {
  let at = -1;
  box.addEventListener("keydown", (event) => {
    const u = box.chart;
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!u || !move) return;
    event.preventDefault();
    at = Math.min(u.data[0].length - 1, Math.max(0, at + move));
    const value = u.data[u.series.length - 1][at];
    u.setCursor({ left: u.valToPos(u.data[0][at], "x"), top: u.valToPos(value, "y") });
  });
  box.addEventListener("blur", () => box.chart?.setCursor({ left: -10, top: -10 }));
}

/** How far one step reaches on the chosen horizontal axis. */
function scaleOf(axis, standing, task) {
  if (axis === "epoch") return standing.batch_size / task.n_train;
  if (axis === "samples") return standing.batch_size;
  if (axis === "seconds") return standing.milliseconds / 1000;
  return 1;
}

/** Whether a quantity can be drawn on a logarithmic axis: a loss, or a metric that is to be small, if positive. */
function hasLog(task, quantity) {
  return quantity === "train_loss" || (!task.higher_is_better && task.axes.metric.all?.least > 0);
}

function vertical(task, quantity, loss, metric, log) {
  const unit = task.unit ? `, ${task.unit}` : "";
  if (quantity === "train_loss") return { ...loss, log: log && loss?.least > 0, worse: "high", unit: "", title: `Training loss (${task.loss_name})` };
  const worse = task.higher_is_better ? "low" : "high";
  return { ...metric, log: log && hasLog(task, quantity), worse, unit: task.unit, title: `Validation ${task.metric}${unit}` };
}

function learningFigure(figure) {
  const task = view.tasks[figure.dataset.task];
  const selection = selections[task.index];
  const box = figure.querySelector(".chart");
  const state = controls(figure, draw);
  figure.querySelector("[value=seconds]").hidden = task.standings.some((standing) => !standing.milliseconds);

  function draw() {
    offer(figure, "y", hasLog(task, state.quantity));
    offer(figure, "span", state.quantity === "valid_metric");
    const axes = task.axes;
    const y = vertical(task, state.quantity, axes.loss.recommended, axes.metric[state.span], state.y === "log");
    const { chosen } = selection;
    const lines = [];
    for (const standing of [...task.standings].reverse()) {
      const { steps, rates, chosen: at, band, seeds } = standing.curves;
      if (at === null) continue;
      const contender = view.contenders[standing.contender];
      const colour = colourOf(contender);
      const x = steps.map((step) => Number((step * scaleOf(state.x, standing, task)).toPrecision(6)));
      const dash = view.palette.dashes[contender.dash];
      const quiet = chosen.size > 0 && !chosen.has(standing.contender);
      if (quiet) {
        lines.unshift({ x, mid: rates[at][state.quantity], colour: translucent(colour, 0.16), dash, width: 1.2 });
        continue;
      }
      if (chosen.size === 1) {
        for (const seed of seeds[state.quantity]) lines.push({ x, mid: seed, colour: translucent(colour, 0.4), width: 0.8 });
      }
      lines.push({
        ...{ label: contender.label, x, mid: rates[at][state.quantity], ...band[state.quantity], colour, dash },
        ...{ width: standing.contender === task.best ? 2.6 : 1.8, fill: chosen.size ? 0.2 : 0.1 },
        detail: [`rate ${standing.rate_text}, ${rates[at].n} seeds${rates[at].failed ? `, ${rates[at].failed} failed` : ""}`],
      });
    }
    const title = { step: "step", epoch: "epoch", samples: "samples seen", seconds: "seconds of training" }[state.x];
    lineChart(box, lines, { title, log: state.xscale === "log" }, y);
  }

  legend(figure, selection, draw);
  steerByKeys(box);
  whenSized(box, draw);
}

const RAMP = { light: ["#1d2c8f", "#6a2ba6", "#b12c88", "#d9544f", "#e08a1e"], dark: ["#7d8cff", "#b483f7", "#e681bd", "#fb9d85", "#ffd166"] };

/** The colour of a rate between the smallest (0) and the largest (1) searched. */
function ramp(share) {
  const stops = RAMP[isDark() ? "dark" : "light"];
  const position = share * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(position));
  const mix = (from) => {
    const [a, b] = [stops[i], stops[i + 1]].map((stop) => parseInt(stop.slice(from, from + 2), 16));
    return Math.round(a + (b - a) * (position - i)).toString(16).padStart(2, "0");
  };
  return `#${mix(1)}${mix(3)}${mix(5)}`;
}

function eachRateFigure(figure) {
  const task = view.tasks[figure.dataset.task];
  const box = figure.querySelector(".chart");
  const key = figure.querySelector(".ramp");
  const state = controls(figure, draw);

  function draw() {
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
      const lost = rate.failed > 0 ? `, ${rate.failed} of ${rate.n} failed` : "";
      const stalled = point?.stalled ? `, ${point.stalled} of ${rate.n} stalled` : "";
      lines.push({
        ...{ label: `rate ${label}`, x: steps, mid: rate[state.quantity], colour },
        ...{ width: i === chosen ? 3.4 : 1.6, dash: 2 * rate.failed > rate.n ? [5, 4] : [] },
        detail: [`median of ${rate.n} seeds${lost}${stalled}${i === chosen ? "; recommended" : ""}`],
      });
      const line = drawn("svg", { width: 22, height: 10, "aria-hidden": "true" });
      line.append(drawn("line", { x1: 1, x2: 21, y1: 5, y2: 5, stroke: colour, "stroke-width": i === chosen ? 3.4 : 2, "stroke-dasharray": 2 * rate.failed > rate.n ? "5 4" : "none" }));
      const name = element("span", { class: i === chosen ? "chosen" : "" }, line, label + (i === chosen ? " recommended" : ""));
      if (rate.failed) name.append(element("small", { class: "lost" }, `${rate.failed} of ${rate.n} failed`));
      else if (point?.stalled) name.append(element("small", {}, `${point.stalled} of ${rate.n} stalled`));
      key.append(name);
    });
    lineChart(box, lines, { title: "step", log: false }, y);
  }

  steerByKeys(box);
  whenSized(box, draw);
}

/** Draws now, whenever the width of a box changes (hidden tabs have none), and when the theme does. */
function whenSized(box, draw) {
  let width = -1;
  new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    draw();
  }).observe(box);
  redraws.add(draw);
}
