// Parallel coordinates on canvas: one line per trial, as many per frame as there is time for, and ranges that the reader drags.

import { recall, remember } from "./address.js";
import { colourOf } from "./contenders.js";
import { view } from "./data.js";
import { element } from "./dom.js";
import { language, outcomeName, say, word } from "./language.js";
import { decades, dialValue, distinct, niceMarks, power, short } from "./numbers.js";
import { isPrinting } from "./printing.js";
import { isDark, paint, translucent } from "./theme.js";
import { dialNames } from "./trial_data.js";

const FRAME_MS = 11; // milliseconds for the lines of a frame
const READ = { willReadFrequently: true }; // so that lines are painted when they are drawn, and not all at once later

/** Axes: a place between 0 (bottom) and 1 (top) for every trial, and marks [place, text]. */
function axesOf(task, trials) {
  const unit = task.unit ? `, ${task.unit}` : "";
  const names = task.standings.map((standing) => standing.contender).reverse();
  const outcomes = distinct(trials.map((trial) => trial.outcome)).sort((a, b) => (a === "ok") - (b === "ok"));
  return [
    choiceAxis("contender", say("optimizer"), names, (trial) => trial.contender, (index) => view.contenders[index].label),
    numberAxis("rate", say("rate"), trials, (trial) => trial.rate, true),
    ...dialNames(trials).map((name) => dialAxis(name, trials)),
    numberAxis("seed", say("seed"), trials, (trial) => trial.seed, false),
    numberAxis("train_loss", say("training loss"), trials, (trial) => trial.train_loss, true),
    numberAxis("valid", say("validation {metric}", { metric: word(task, "metric") + unit }), trials, (trial) => trial.valid, false),
    numberAxis("test", say("test {metric}", { metric: word(task, "metric") + unit }), trials, (trial) => trial.test, false),
    choiceAxis("outcome", say("outcome"), outcomes, (trial) => trial.outcome, outcomeName),
  ];
}

function choiceAxis(key, title, choices, value, name) {
  const places = new Map(choices.map((choice, i) => [choice, choices.length > 1 ? i / (choices.length - 1) : 0.5]));
  return { key, title, place: (trial) => places.get(value(trial)) ?? 0, marks: choices.map((choice) => [places.get(choice), name(choice)]) };
}

/** An axis of numbers, of numbers below 1 by their distance from it where that is wide, or of choices. */
function dialAxis(name, trials) {
  const [key, value] = [`dial-${name}`, (trial) => trial.dial(name)];
  const values = distinct(trials.map(value));
  const known = values.filter((each) => each !== null);
  if (known.some((each) => typeof each !== "number")) return choiceAxis(key, name, values, value, dialValue);
  const [low, high] = [1 - known[known.length - 1], 1 - known[0]];
  if (low > 0 && high > 30 * low) {
    const axis = numberAxis(key, name, trials, (trial) => (value(trial) === null ? null : 1 - value(trial)), true);
    const turned = (share) => (share === 0 ? 0 : 1.05 - share);
    const marks = decades(null, 0, low, high).map((mark) => [turned(0.05 + (0.95 * Math.log(mark / low)) / Math.log(high / low)), short(1 - mark)]);
    return { ...axis, place: (trial) => turned(axis.place(trial)), marks };
  }
  const axis = numberAxis(key, name, trials, (trial) => value(trial) || null, true); // 0 lies under a logarithmic scale
  if (known.includes(0)) axis.marks.push([0, "0"]);
  return axis;
}

/** What has no value, since the trial failed, lies at the foot. A few hopeless values do not squash the others. */
function numberAxis(key, title, trials, value, mayLog) {
  const known = trials.map(value).filter((x) => x !== null).sort((a, b) => a - b);
  if (!known.length) return { key, title, place: () => 0, marks: [] };
  const at = (share) => known[Math.floor(share * (known.length - 1))];
  let [low, high] = [known[0], known[known.length - 1]];
  const log = mayLog && low > 0 && high > 30 * low;
  if (key === "valid" || key === "test") {
    const room = 3 * (at(0.9) - at(0.1)) || 1;
    [low, high] = [Math.max(low, at(0.1) - room), Math.min(high, at(0.9) + room)];
  }
  if (low === high) [low, high] = [low - 1, high + 1];
  const share = (x) => 0.05 + 0.95 * Math.min(1, Math.max(0, log ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low)));
  const marks = log ? decades(null, 0, low, high) : niceMarks(low, high);
  return { key, title, place: (trial) => (value(trial) === null ? 0 : share(value(trial))), marks: marks.map((mark) => [share(mark), log ? power(mark) : short(mark)]) };
}

/** The numbers below n in an order that mixes them, always the same one, so that no optimizer's lines cover the others'. */
function mixture(n) {
  let step = Math.max(1, Math.round(n * 0.381966)); // of the golden section
  const shared = (a, b) => (b ? shared(b, a % b) : a);
  while (shared(step, n) > 1) step++;
  return Array.from({ length: n }, (_, i) => (i * step) % n);
}

/** The figure's canvas: {prepare(trials), passes(i), draw(shown), release()}; `changed` when a range is dragged. */
export function parallel(figure, task, place, changed) {
  const box = figure.querySelector(".parallel");
  const canvas = box.querySelector("canvas");
  const pen = canvas.getContext("2d", READ);
  const ranges = new Map(); // key of an axis → [low, high], places
  for (const part of (recall(`${place}.ranges`) ?? "").split("~").filter(Boolean)) {
    const [key, low, high] = part.split(":");
    ranges.set(key, [Number(low), Number(high)]);
  }
  let [axes, trials, mixed, places, job, kept] = [[], [], [], [], 0, null];
  let chosenAxis = -1; // by the keyboard
  const backdrop = element("canvas"); // all trials, faintly: drawn once, and what is kept is drawn over it
  let backdropOf = ""; // what it was drawn from
  const names = element("canvas"); // the axes with all that is written on them, which takes longer than lines
  let namesOf = "";
  let many = 100; // lines at a time: more, or fewer, as they turn out to be quick or slow

  function* prepare(all) {
    trials = all;
    mixed = mixture(all.length);
    axes = axesOf(task, all);
    places = [];
    for (const axis of axes) {
      places.push(Float32Array.from(all, axis.place));
      yield;
    }
    [backdropOf, namesOf] = ["", ""];
  }

  function passes(i) {
    for (let a = 0; a < axes.length; a++) {
      const range = ranges.get(axes[a].key);
      if (range && (places[a][i] < range[0] || places[a][i] > range[1])) return false;
    }
    return true;
  }

  /** Left of the axes there is room for names. */
  function frame() {
    const width = Math.max(axes.length > 7 ? 200 + 125 * (axes.length - 1) : 640, box.clientWidth); // room for titles
    return { width, height: 330, left: 130, right: width - 70, top: 40, bottom: 312 };
  }

  function across(a, { left, right }) {
    return left + ((right - left) * a) / (axes.length - 1);
  }

  function up(share, { top, bottom }) {
    return bottom - (bottom - top) * share;
  }

  /** shown: the trials that are kept; null for all of them. */
  function draw(shown) {
    kept = shown;
    cancelAnimationFrame(job);
    if (!box.clientWidth || !axes.length) return;
    const f = frame();
    const ratio = devicePixelRatio || 1;
    if (canvas.width !== Math.round(f.width * ratio)) {
      for (const each of [canvas, backdrop, names]) [each.width, each.height] = [Math.round(f.width * ratio), Math.round(f.height * ratio)];
      canvas.style.setProperty("width", `${f.width}px`);
      canvas.style.setProperty("height", `${f.height}px`);
    }
    const mine = kept ? mixed.filter((i) => kept.has(trials[i])) : mixed;
    const opacity = Math.min(0.8, Math.max(0.06, 60 / Math.max(1, mine.length)));
    const colours = view.contenders.map((contender) => translucent(colourOf(contender), opacity));
    const faint = translucent(isDark() ? "#7f8a96" : "#878f98", 0.05);
    const signature = `${f.width} ${ratio} ${isDark()} ${trials.length}`;
    const layers = [];
    if (kept && backdropOf !== signature) layers.push({ onto: backdrop.getContext("2d", READ), lines: mixed, colour: () => faint, after: () => (backdropOf = signature) });
    const begun = () => kept && backdropOf === signature && pen.drawImage(backdrop, 0, 0, f.width, f.height);
    layers.push({ onto: pen, lines: mine, colour: (i) => colours[trials[i].contender], before: begun, after: () => (drawAxes(f, ratio), (canvas.dataset.done = "yes")) });
    canvas.dataset.done = "no";
    lineByLine(layers, f, ratio);
  }

  /** Draws layers of lines, in each frame as many as there is time for; on paper all at once. */
  function lineByLine(layers, f, ratio) {
    let next = 0;
    const start = () => {
      const { onto, before } = layers[0];
      onto.setTransform(ratio, 0, 0, ratio, 0, 0);
      onto.fillStyle = paint("--page");
      onto.fillRect(0, 0, f.width, f.height);
      onto.lineWidth = 1;
      onto.lineJoin = "bevel"; // of thin lines nobody sees the corners, and mitres take time
      before?.();
      if (onto === pen) drawAxes(f, ratio);
    };
    const some = () => {
      const began = performance.now();
      const { onto, lines, colour, after } = layers[0];
      if (!next) start();
      for (const stop = isPrinting() ? lines.length : Math.min(lines.length, next + many); next < stop; next++) {
        onto.strokeStyle = colour(lines[next]);
        onto.beginPath();
        for (let a = 0; a < axes.length; a++) onto.lineTo(across(a, f), up(places[a][lines[next]], f));
        onto.stroke();
      }
      onto.getImageData(0, 0, 1, 1); // waits until they are painted
      many = Math.max(20, Math.round(performance.now() - began > FRAME_MS ? many * 0.7 : Math.min(many * 1.3, many + 60)));
      if (next >= lines.length) {
        after();
        layers.shift();
        next = 0;
      }
      if (!layers.length) return;
      if (isPrinting()) some();
      else job = requestAnimationFrame(some);
    };
    if (isPrinting()) some();
    else job = requestAnimationFrame(some);
  }

  function drawAxes(f, ratio) {
    const signature = `${f.width} ${ratio} ${isDark()} ${language()}`;
    if (namesOf !== signature) writeAxes(f, ratio);
    namesOf = signature;
    pen.drawImage(names, 0, 0, f.width, f.height);
    pen.fillStyle = translucent(isDark() ? "#8ab4ff" : "#2456b8", 0.28);
    axes.forEach((axis, a) => {
      if (a === chosenAxis) pen.fillRect(across(a, f) - 2, f.top - 8, 4, f.bottom - f.top + 16);
      const range = ranges.get(axis.key);
      if (range) pen.fillRect(across(a, f) - 8, up(range[1], f) - 2, 16, up(range[0], f) - up(range[1], f) + 4);
    });
  }

  function writeAxes(f, ratio) {
    const ink = names.getContext("2d", READ);
    const size = 11.5;
    const family = getComputedStyle(document.body).fontFamily;
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.clearRect(0, 0, f.width, f.height);
    axes.forEach((axis, a) => {
      const x = across(a, f);
      ink.fillStyle = paint("--soft");
      ink.fillRect(x - 0.5, f.top, 1, f.bottom - f.top);
      ink.font = `600 ${size}px ${family}`;
      ink.textAlign = a === 0 ? "end" : a === axes.length - 1 ? "start" : "center";
      ink.fillText(axis.title, a === 0 ? x + 26 : a === axes.length - 1 ? x - 26 : x, 18, 150);
      ink.font = `${size}px ${family}`;
      ink.textAlign = a === 0 ? "end" : "start";
      for (const [share, text] of axis.marks) label(ink, a === 0 ? x - 8 : x + 6, up(share, f) + 4, text.length > 15 ? `${text.slice(0, 14)}…` : text);
    });
  }

  /** Text with a halo of the page's colour, so that lines behind it do not cross it out. */
  function label(ink, x, y, text) {
    ink.lineWidth = 3;
    ink.strokeStyle = paint("--page");
    ink.strokeText(text, x, y);
    ink.fillStyle = paint("--ink");
    ink.fillText(text, x, y);
  }

  function release() {
    ranges.clear();
    keep();
  }

  function keep() {
    remember(`${place}.ranges`, [...ranges].map(([key, [low, high]]) => `${key}:${low.toFixed(3)}:${high.toFixed(3)}`).join("~"), "");
    changed();
  }

  let drag = null;
  const at = (event) => {
    const rect = canvas.getBoundingClientRect();
    const f = frame();
    const [x, y] = [event.clientX - rect.left, event.clientY - rect.top];
    const a = axes.findIndex((_, i) => Math.abs(across(i, f) - x) < 22);
    return { a, share: Math.min(1.02, Math.max(-0.02, (f.bottom - y) / (f.bottom - f.top))) };
  };
  canvas.addEventListener("pointerdown", (event) => {
    const { a, share } = at(event);
    if (a < 0) return;
    canvas.setPointerCapture(event.pointerId);
    drag = { key: axes[a].key, from: share };
  });
  canvas.addEventListener("pointermove", (event) => {
    canvas.classList.toggle("grab", at(event).a >= 0);
    if (!drag) return;
    const { share } = at(event);
    ranges.set(drag.key, [Math.min(share, drag.from), Math.max(share, drag.from)]);
    keep();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!drag) return;
    if (Math.abs(at(event).share - drag.from) < 0.01) ranges.delete(drag.key); // a click lets go
    drag = null;
    keep();
  });
  box.addEventListener("keydown", (event) => {
    const turn = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const move = { ArrowUp: 0.1, ArrowDown: -0.1 }[event.key];
    if (!axes.length || !(turn || move || ["Delete", "Backspace"].includes(event.key))) return;
    event.preventDefault();
    if (chosenAxis < 0) chosenAxis = turn === -1 ? axes.length - 1 : 0;
    else if (turn) chosenAxis = (chosenAxis + turn + axes.length) % axes.length;
    const { key } = axes[chosenAxis];
    if (move) {
      const [low, high] = ranges.get(key) ?? [-0.02, 1.02];
      const [from, to] = event.shiftKey ? [low, high + move] : [low + move, high];
      ranges.set(key, [Math.max(-0.02, Math.min(from, to)), Math.min(1.02, Math.max(from, to))]);
    } else if (!turn) ranges.delete(key);
    keep();
  });
  box.addEventListener("blur", () => ((chosenAxis = -1), changed()));
  return { prepare, passes, draw, release };
}
