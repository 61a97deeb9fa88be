// The page: what is chosen, what that draws, and the clock.

import { ofPair, say, setLanguage } from "../../report/static/language.js";
import { fitChart, logChart } from "./charts.js";
import { facts, heightsOf, pathOf, unpack } from "./data.js";
import { drawGround, lineOf, place, shape, SIZE } from "./draw.js";
import { looks, MAX_RUNS, methodOf, nameOf, runOf } from "./methods.js";
import { bracketed, number, position, raised, setting } from "./numbers.js";

const byId = (id) => document.getElementById(id);

const state = { land: 0, start: 0, noise: false, t: 0, playing: false, coordinate: 0, story: "", runs: [] };
let shown = []; // {run, method, path, look, line, head, card}
let movers = [];

// The lines of a method's formula with the numbers of step t. Three digits, for with two the sum on the left comes out
// visibly otherwise than the position on the right.
function filled({ method, run, path }, t) {
  const land = facts.lands[state.land], at = land.shown, letter = land.axes[at];
  const values = {
    w: position(path.w[at][t - 1]),
    new: position(path.w[at][t]),
    g: number(path.g[t], 3),
    lr: number(facts.rates[run.rate]),
    to_t: raised(t),
  };
  for (const knob of method.knobs) values[knob.name] = setting(run.settings[knob.name]);
  method.state.forEach((name, i) => {
    values[`old_${name}`] = number(path.state[i][t - 1], 3);
    values[name] = number(path.state[i][t], 3);
  });
  const fill = (gap, name, place, line) => (line.slice(place - 2, place) === "= " ? values[name] : bracketed(values[name]));
  return method.numbers.map((line) => line.replace(/^w/, letter).replace(/\{(\w+)\}/g, fill));
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
  write(`#story=${name}`);
  play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  if (!state.playing) seek(facts.steps);
}

// The view in the address, so that it can be passed on.
function remember() {
  const runs = state.runs.map((run) => [run.method, facts.rates[run.rate], ...Object.values(run.settings)].join()).join(";");
  write(`#land=${facts.lands[state.land].name}&start=${state.start}&noise=${Number(state.noise)}&runs=${runs}`);
}

let written = "";
function write(address) {
  location.replace(address);
  written = location.hash;
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
    .slice(0, MAX_RUNS)
    .map(([method, rate, ...values]) => {
      const settings = Object.fromEntries(methodOf(method).knobs.map((knob, i) => [knob.name, Number(values[i])]));
      return runOf({ method, rate: Number(rate), settings });
    });
  return change({
    land,
    start: asked.get("start") === "1" ? 1 : 0,
    noise: asked.get("noise") === "1",
    coordinate: facts.lands[land].shown,
    runs: runs.length ? runs : [runOf({ method: "adam", rate: 0.1 })],
  });
}

// ---- drawing ----

// A place within the picture: who has left it is shown at its edge.
const held = ([x, y]) => [Math.max(14, Math.min(SIZE.wide - 14, x)), Math.max(14, Math.min(SIZE.high - 14, y))];

function draw() {
  const land = facts.lands[state.land];
  document.title = `steepest · ${ofPair(land.title)}`;
  byId("land").value = land.name;
  byId("noise").checked = state.noise;
  byId("about").textContent = ofPair(land.about);
  const story = facts.stories.find((each) => each.name === state.story);
  byId("story").hidden = !story;
  byId("point").textContent = story ? ofPair(story.point) : "";
  byId("story-text").textContent = story ? ofPair(story.text) : "";
  for (const where of ["paths", "loss", "effective"]) byId(where).parentElement.classList.toggle("look", story?.where === where);
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
  const refocus = focused();
  byId("runs").replaceChildren();
  const heads = []; // above all lines
  shown = state.runs.map((run, i) => {
    const method = methodOf(run.method), path = pathOf(run, state.land, state.start, state.noise), look = styles[i];
    parts.push(shape("polyline", { class: `ahead c${look.colour}`, points: lineOf(land.window, path, facts.steps) }));
    const line = shape("polyline", { class: `done c${look.colour}`, "stroke-dasharray": look.dash });
    const head = shape("g", { class: `head c${look.colour}` });
    const name = shape("text", { class: "name" }, nameOf(run, state.runs));
    head.append(name, shape("circle", { r: 12 }), shape("text", { class: "place", y: 5, "text-anchor": "middle" }, String(i + 1)));
    parts.push(line);
    heads.push(head);
    const each = { run, method, path, look, line, head, name };
    each.card = card(each, i);
    byId("runs").append(each.card.whole);
    return each;
  });
  byId("paths").replaceChildren(...parts, ...heads);
  byId("add").disabled = state.runs.length >= MAX_RUNS;
  charts();
  byId("time").max = facts.steps;
  moment();
  refocus();
}

// The cards are rebuilt: what brings the focus back to the control in the same place, or to its card's neighbour, so
// that who works with the keyboard goes on where they were.
function focused() {
  const controls = (card) => [...card.querySelectorAll("input, select, button")];
  const cards = [...byId("runs").children], i = cards.findIndex((card) => card.contains(document.activeElement));
  if (i < 0) return () => {};
  const at = controls(cards[i]).indexOf(document.activeElement);
  return () => {
    const card = byId("runs").children[Math.min(i, shown.length - 1)], control = controls(card)[at];
    (control && !control.disabled ? control : byId("add")).focus();
  };
}

function charts() {
  const { land, coordinate } = state;
  const series = (values) => shown.map((each) => ({ values: values(each.path), end: each.path.end, look: each.look }));
  movers = [
    logChart(byId("loss"), series((path) => path.loss.map((loss) => loss || 10 ** facts.loss.floor)), facts.loss.decade, seek),
    logChart(byId("effective"), series((path) => path.effective[coordinate]), facts.step.decade, seek),
  ];
  byId("fit-figure").hidden = facts.lands[land].name !== "line";
  if (!byId("fit-figure").hidden) movers.push(fitChart(byId("fit"), shown));
}

// Everything that depends on the step alone.
function moment() {
  const land = facts.lands[state.land], t = Math.floor(state.t);
  byId("time").value = t;
  byId("step").textContent = say("step {t}", { t });
  byId("play").textContent = state.playing ? say("⏸ Pause") : say("▶ Play");
  const size = Math.max(0.8, SIZE.wide / (byId("paths").clientWidth || SIZE.wide) / 1.2); // in the drawing's units
  const heads = shown.map(({ path }) => {
    const at = Math.min(t, path.end);
    return held(place(land.window, path.w[0][at], path.w[1][at]));
  });
  const taken = heads.map(([x, y]) => [x - 12 * size, x + 12 * size, y - 12 * size, y + 12 * size]);
  shown.forEach((each, i) => {
    const { path, line, head, name } = each, [x, y] = heads[i];
    line.setAttribute("points", lineOf(land.window, path, t));
    head.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size.toFixed(2)})`);
    each.wide ??= name.getComputedTextLength();
    const { left, down } = beside(x, y, each.wide, size, taken);
    name.setAttribute("text-anchor", left ? "end" : "start");
    name.setAttribute("x", left ? -18 : 18);
    name.setAttribute("y", 6 + 22 * down);
    each.card.tell(t);
  });
  movers.forEach((move) => move(t));
}

// Where a name is placed beside its head, so that it covers no head and no other name: on one side or the other, and so
// many lines further down. `taken` holds what is covered, [x from, x to, y from, y to], and gets the name as well.
function beside(x, y, wide, size, taken) {
  const right = x <= SIZE.wide * 0.65, upwards = y > SIZE.high * 0.8;
  for (const left of [!right, right]) {
    for (let k = 0; k < MAX_RUNS; k++) {
      const from = left ? x - (18 + wide) * size : x + 18 * size, down = upwards ? -k : k, middle = y + 22 * down * size;
      const box = [from - 4 * size, from + (wide + 4) * size, middle - 10 * size, middle + 10 * size];
      const free = taken.every(([a, b, c, d]) => box[1] <= a || b <= box[0] || box[3] <= c || d <= box[2]);
      if (!free || box[0] < 0 || box[1] > SIZE.wide || box[2] < 0 || box[3] > SIZE.high) continue;
      taken.push(box);
      return { left, down };
    }
  }
  return { left: !right, down: 0 };
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
  name.firstElementChild?.setAttribute("aria-label", say("Method"));
  const remove = make("button", { type: "button", className: "quiet", textContent: "×" });
  remove.setAttribute("aria-label", say("Remove {name}", method));
  remove.disabled = state.runs.length < 2;
  remove.onclick = () => change({ runs: state.runs.filter((_, j) => j !== i) });
  const slider = make("input", { type: "range", min: 0, max: facts.rates.length - 1, step: 1, value: run.rate });
  const rate = make("output", { textContent: number(facts.rates[run.rate]) });
  slider.setAttribute("aria-label", say("Learning rate of {name}", method));
  slider.setAttribute("aria-valuetext", rate.textContent);
  slider.onchange = () => put({ rate: Number(slider.value) });
  slider.oninput = () => (rate.textContent = number(facts.rates[slider.value]));
  const settings = make("div", { className: "settings" }, make("label", {}, "η ", slider, " ", rate));
  for (const { name: key, letter, choices } of method.knobs) {
    settings.append(
      choice(letter, choices, run.settings[key], setting, (value) => put({ settings: { ...run.settings, [key]: Number(value) } })),
    );
  }
  const lines = method.formula.map((text) => ({
    letters: make("p", { className: "letters", textContent: text }),
    numbers: make("p", { className: "numbers" }),
  }));
  const formula = make("div", { className: "formula" }, ...lines.flatMap(({ letters, numbers }) => [letters, numbers]));
  const now = make("p", { className: "now" });
  const whole = make("article", { className: "run" }, make("div", { className: "bar" }, make("b", { className: `badge c${look.colour}`, textContent: i + 1 }), swatch, name, remove), settings, formula, now);
  const tell = (t) => {
    const at = Math.min(t, path.end), letter = land.axes[land.shown];
    const gone = t >= path.end && path.end < facts.steps;
    const values = at > 0 && !gone ? filled(each, at) : [];
    lines.forEach(({ numbers }, i) => (numbers.textContent = values[i] ?? ""));
    const effective = path.effective[land.shown][at];
    now.textContent = gone
      ? say("Left the picture at step {step}", { step: path.end }) +
        (path.back ? say(" and comes back later; drawn until it left.") : say(": it diverges."))
      : say("loss {loss}", { loss: number(path.loss[at]) }) +
        (effective > 0 ? say(", effective step of {letter} {step}", { letter, step: number(effective) }) : "");
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
  setLanguage(language);
  for (const option of byId("land").options) option.textContent = ofPair(facts.lands.find((land) => land.name === option.value).title);
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
  addEventListener("hashchange", () => {
    if (location.hash !== written && /land=|story=/.test(location.hash)) recall(); // another's view, put into this window
  });
  addEventListener("resize", () => { charts(); moment(); });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const wear = () => press("themes", document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => { wear(); draw(); });
  wear();
  press("languages", document.documentElement.lang);
  recall();
  document.documentElement.dataset.ready = "";
}

unpack().then(begin);
