// The page: what is chosen, what that draws, and the clock.

const byId = (id) => document.getElementById(id);
const chinese = () => document.documentElement.lang === "zh";
const say = (english, words) => (chinese() ? words : english);
const told = (pair) => say(pair.en, pair.zh);
const MOST = 6;

const state = { land: 0, start: 0, noise: false, t: 0, playing: false, coordinate: 0, story: "", runs: [] };
let shown = []; // {run, method, path, look, line, head, card}
let movers = [];

const methodOf = (name) => facts.methods.find((method) => method.name === name);

function runOf({ method, rate, b = null, eps = null }) {
  const known = methodOf(method);
  return {
    method,
    rate: Math.max(0, facts.rates.indexOf(rate)),
    b: known.bs.length ? (known.bs.includes(b) ? b : known.usual) : null,
    eps: known.eps.length ? (known.eps.includes(eps) ? eps : known.eps[0]) : null,
  };
}

// ---- numbers ----

function number(value) {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e4)) return String(Number(value.toPrecision(2))).replace("-", "−");
  const [mantissa, exponent] = value.toExponential(1).split("e");
  const ten = power(Number(exponent));
  return mantissa === "1.0" ? ten : `${mantissa.replace(".0", "").replace("-", "−")}·${ten}`;
}

// A position, to what the packing keeps of it.
const position = (value) => value.toFixed(2).replace(/^-0\.00$/, "0.00").replace("-", "−");

const bracketed = (text) => (text.startsWith("−") ? `(${text})` : text);

function filled({ method, run, path }, t) {
  const at = facts.lands[state.land].shown;
  const values = {
    w: position(path.w[at][t - 1]),
    new: position(path.w[at][t]),
    g: bracketed(number(path.g[t])),
    lr: number(facts.rates[run.rate]),
    b: run.b === null ? "" : number(run.b),
    eps: run.eps === null ? "" : number(run.eps),
  };
  method.state.forEach((name, i) => (values[name] = bracketed(number(path.state[i][t]))));
  return method.formula.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// ---- what is chosen ----

function change(changes, story = "") {
  Object.assign(state, changes, { story });
  if (story === "") remember();
  draw();
}

function tell(name) {
  const story = facts.stories.find((each) => each.name === name);
  state.t = 0;
  change(
    {
      land: facts.lands.findIndex((land) => land.name === story.land),
      start: story.start,
      noise: story.noise,
      coordinate: facts.lands.find((land) => land.name === story.land).shown,
      runs: story.runs.map(runOf),
    },
    name,
  );
  location.replace(`#story=${name}`);
  play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  if (!state.playing) seek(facts.steps);
}

// The view in the address, so that it can be passed on.
function remember() {
  const runs = state.runs.map((run) => [run.method, facts.rates[run.rate], run.b ?? "", run.eps ?? ""].join(",")).join(";");
  location.replace(`#land=${facts.lands[state.land].name}&start=${state.start}&noise=${Number(state.noise)}&runs=${runs}`);
}

function recall() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (facts.stories.some((story) => story.name === asked.get("story"))) return tell(asked.get("story"));
  const land = facts.lands.findIndex((each) => each.name === asked.get("land"));
  if (land < 0) return tell(facts.stories[0].name);
  const runs = (asked.get("runs") || "")
    .split(";")
    .map((words) => words.split(","))
    .filter(([name]) => methodOf(name))
    .slice(0, MOST)
    .map(([method, rate, b, eps]) => runOf({ method, rate: Number(rate), b: Number(b), eps: Number(eps) }));
  return change({
    land,
    start: asked.get("start") === "1" ? 1 : 0,
    noise: asked.get("noise") === "1",
    coordinate: facts.lands[land].shown,
    runs: runs.length ? runs : [runOf({ method: "adam", rate: 0.1 })],
  });
}

// ---- drawing ----

function looks(runs) {
  const taken = new Set();
  return runs.map(({ method }) => {
    const { colour, dash } = methodOf(method);
    let i = dash;
    while (taken.has(`${colour}/${i}`)) i = (i + 1) % facts.dashes.length;
    taken.add(`${colour}/${i}`);
    return { colour, dash: facts.dashes[i] };
  });
}

function draw() {
  const land = facts.lands[state.land];
  document.title = `steepest · ${told(land.title)}`;
  byId("land").value = land.name;
  byId("noise").checked = state.noise;
  byId("about").textContent = told(land.about);
  const story = facts.stories.find((each) => each.name === state.story);
  byId("story").textContent = story ? told(story.text) : "";
  press("stories", state.story);
  press("starts", String(state.start));
  press("coordinates", String(state.coordinate));
  byId("coordinates").querySelectorAll("button").forEach((button, i) => (button.textContent = land.axes[i]));
  drawGround(byId("ground"), heightsOf(state.land));
  const styles = looks(state.runs);
  const parts = land.minima.map(([x, y]) => {
    const [cx, cy] = place(land.window, x, y);
    return shape("path", { class: "minimum", d: `M${cx - 7} ${cy}H${cx + 7}M${cx} ${cy - 7}V${cy + 7}` });
  });
  byId("runs").replaceChildren();
  shown = state.runs.map((run, i) => {
    const method = methodOf(run.method), path = pathOf(run, state.land, state.start, state.noise), look = styles[i];
    parts.push(shape("polyline", { class: `ahead c${look.colour}`, points: lineOf(land.window, path, facts.steps) }));
    const line = shape("polyline", { class: `done c${look.colour}`, "stroke-dasharray": look.dash });
    const head = shape("g", { class: `head c${look.colour}` });
    head.append(shape("circle", { r: 12 }), shape("text", { y: 5, "text-anchor": "middle" }, String(i + 1)));
    parts.push(line, head);
    const each = { run, method, path, look, line, head };
    each.card = card(each, i);
    byId("runs").append(each.card.whole);
    return each;
  });
  byId("paths").replaceChildren(...parts);
  byId("add").disabled = state.runs.length >= MOST;
  charts();
  byId("time").max = facts.steps;
  moment();
}

function charts() {
  const { land, coordinate } = state;
  const series = (values) => shown.map((each) => ({ values: values(each.path), end: each.path.end, look: each.look }));
  movers = [
    logChart(byId("loss"), series((path) => path.loss), seek),
    logChart(byId("effective"), series((path) => path.effective[coordinate]), seek),
  ];
  byId("fit-figure").hidden = facts.lands[land].name !== "line";
  if (!byId("fit-figure").hidden) movers.push(fitChart(byId("fit"), shown));
}

// Everything that depends on the step alone.
function moment() {
  const land = facts.lands[state.land], t = Math.floor(state.t);
  byId("time").value = t;
  byId("step").textContent = say(`step ${t}`, `第 ${t} 步`);
  byId("play").textContent = state.playing ? say("⏸ Pause", "⏸ 暂停") : say("▶ Play", "▶ 播放");
  for (const each of shown) {
    const { path, line, head } = each, at = Math.min(t, path.end);
    line.setAttribute("points", lineOf(land.window, path, t));
    const [x, y] = place(land.window, path.w[0][at], path.w[1][at]);
    head.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    each.card.tell(t);
  }
  movers.forEach((move) => move(t));
}

// ---- one method's card ----

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function choice(label, options, value, text, onChange) {
  const select = make("select", {}, ...options.map((each) => make("option", { value: String(each), textContent: text(each) })));
  select.value = String(value);
  select.onchange = () => onChange(select.value);
  return make("label", {}, `${label} `, select);
}

function card(each, i) {
  const { run, method, look, path } = each, land = facts.lands[state.land];
  const put = (changes) => change({ runs: state.runs.map((other, j) => (j === i ? { ...other, ...changes } : other)) });
  const swatch = shape("svg", { class: `swatch c${look.colour}`, viewBox: "0 0 36 12", "aria-hidden": "true" });
  swatch.append(shape("line", { x1: 1, x2: 35, y1: 6, y2: 6, "stroke-dasharray": look.dash }));
  const name = choice("", facts.methods.map((other) => other.name), method.name, (other) => other, (other) =>
    change({ runs: state.runs.map((old, j) => (j === i ? runOf({ ...old, method: other, rate: facts.rates[old.rate] }) : old)) }),
  );
  name.firstElementChild?.setAttribute("aria-label", say("Method", "方法"));
  const remove = make("button", { type: "button", className: "quiet", textContent: "×" });
  remove.setAttribute("aria-label", say(`Remove ${method.name}`, `移除 ${method.name}`));
  remove.disabled = state.runs.length < 2;
  remove.onclick = () => change({ runs: state.runs.filter((_, j) => j !== i) });
  const slider = make("input", { type: "range", min: 0, max: facts.rates.length - 1, step: 1, value: run.rate });
  const rate = make("output", { textContent: number(facts.rates[run.rate]) });
  slider.setAttribute("aria-label", say(`Learning rate of ${method.name}`, `${method.name} 的学习率`));
  slider.setAttribute("aria-valuetext", rate.textContent);
  slider.onchange = () => {
    put({ rate: Number(slider.value) });
    byId("runs").querySelectorAll("input[type=range]")[i]?.focus();
  };
  slider.oninput = () => (rate.textContent = number(facts.rates[slider.value]));
  const settings = make("div", { className: "settings" }, make("label", {}, "η ", slider, " ", rate));
  if (run.b !== null) settings.append(choice(method.letter, method.bs, run.b, number, (b) => put({ b: Number(b) })));
  if (run.eps !== null) settings.append(choice("ε", method.eps, run.eps, number, (eps) => put({ eps: Number(eps) })));
  const formula = make("p", { className: "formula", textContent: method.rule });
  const numbers = make("p", { className: "numbers" });
  const now = make("p", { className: "now" });
  const whole = make("article", { className: "run" }, make("div", { className: "bar" }, make("b", { className: `badge c${look.colour}`, textContent: i + 1 }), swatch, name, remove), settings, formula, numbers, now);
  const tell = (t) => {
    const at = Math.min(t, path.end), letter = land.axes[land.shown];
    const gone = t >= path.end && path.end < facts.steps;
    numbers.textContent = at > 0 && !gone ? `${letter}:  ${filled(each, at)}` : "";
    const effective = path.effective[land.shown][at];
    now.textContent = gone
      ? say(`Left the picture at step ${path.end}: it diverges.`, `第 ${path.end} 步离开画面：发散。`)
      : say("loss ", "损失 ") + number(path.loss[at]) +
        (effective > 0 ? say(", effective step of ", "，有效步长 ") + `${letter} ${number(effective)}` : "");
  };
  return { whole, tell };
}

// ---- time ----

function seek(t) {
  state.t = Math.max(0, Math.min(facts.steps, t));
  moment();
}

let last = 0;
function play(on) {
  if (on && state.t >= facts.steps) state.t = 0;
  const begins = on && !state.playing;
  state.playing = on;
  moment();
  if (begins) {
    last = performance.now();
    requestAnimationFrame(frame);
  }
}

function frame(now) {
  if (!state.playing) return;
  state.t += (Math.max(0, now - last) / 1000) * Number(byId("speed").value); // a frame's time may lie before its call
  last = now;
  if (state.t >= facts.steps) {
    state.t = facts.steps;
    state.playing = false;
  }
  moment();
  if (state.playing) requestAnimationFrame(frame);
}

// ---- controls ----

function press(group, value) {
  for (const button of byId(group).querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === value));
}

function choose(group, onPick) {
  byId(group).addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) onPick(button.value);
  });
}

function speak(language) {
  document.documentElement.lang = language;
  for (const option of byId("land").options) option.textContent = told(facts.lands.find((land) => land.name === option.value).title);
  for (const element of document.querySelectorAll("[data-aria-label-en]")) {
    element.setAttribute("aria-label", element.getAttribute(`data-aria-label-${language}`));
  }
  press("languages", language);
  draw();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  press("themes", name);
  draw();
}

function begin() {
  choose("stories", tell);
  choose("starts", (value) => change({ start: Number(value) }));
  choose("coordinates", (value) => change({ coordinate: Number(value) }, state.story));
  choose("languages", speak);
  choose("themes", theme);
  byId("land").onchange = (event) => {
    const land = facts.lands.findIndex((each) => each.name === event.target.value);
    change({ land, coordinate: facts.lands[land].shown });
  };
  byId("noise").onchange = (event) => change({ noise: event.target.checked });
  byId("time").oninput = (event) => {
    state.playing = false;
    seek(Number(event.target.value));
  };
  byId("play").onclick = () => play(!state.playing);
  byId("add").onclick = () => {
    const free = facts.methods.find((method) => !state.runs.some((run) => run.method === method.name)) || facts.methods[0];
    change({ runs: [...state.runs, runOf({ method: free.name, rate: 0.1 })] });
  };
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, button")) return;
    if (event.key === " ") play(!state.playing);
    else if (event.key === "ArrowRight") seek(Math.floor(state.t) + 1);
    else if (event.key === "ArrowLeft") seek(Math.floor(state.t) - 1);
    else return;
    event.preventDefault();
  });
  addEventListener("resize", () => { charts(); moment(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  press("themes", matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  press("languages", document.documentElement.lang);
  recall();
  document.documentElement.dataset.ready = "";
}

unpack().then(begin);
