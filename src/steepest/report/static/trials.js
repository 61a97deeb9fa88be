// All trials as a table of which only the rows in sight exist, so that ten thousand are as light as ten.

import { recall, remember } from "./address.js";
import { compareTrials } from "./compare.js";
import { nameTag } from "./contenders.js";
import { controls, offerOptions } from "./controls.js";
import { view } from "./data.js";
import { element } from "./dom.js";
import { outcomeName, outcomeWords, say, stageName, stageWords, word } from "./language.js";
import { counted, dialValue, distinct, rateName, short } from "./numbers.js";
import { parallel } from "./parallel.js";
import { describe } from "./saving.js";
import { promptly, whenSized } from "./scheduler.js";
import { isolate, selections } from "./selection.js";
import { areTrialsHere, dialNames, once, trialsOf, trialsTable } from "./trial_data.js";

const ROW_HEIGHT = 30; // pixels, as in the stylesheet

/** Columns: key, head, how a cell reads, and whether it is a number. */
function columnsOf(task, dials) {
  const unit = task.unit ? `, ${task.unit}` : "";
  return [
    { key: "contender", head: say("Optimizer"), value: (trial) => task.order.get(trial.contender), cell: (trial) => nameTag(trial.contender) },
    { key: "rate", head: say("Rate"), number: true, cell: (trial) => rateName(trial.rate) },
    ...dials.map((name) => ({ key: `dial-${name}`, head: name, value: (trial) => trial.dial(name), cell: (trial) => dialValue(trial.dial(name)) })),
    { key: "seed", head: say("Seed"), number: true, cell: (trial) => String(trial.seed) },
    { key: "stage", head: say("Stage"), cell: (trial) => stageName(trial.stage) },
    { key: "outcome", head: say("Outcome"), cell: outcomeCell },
    { key: "train_loss", head: say("Training loss"), number: true, cell: (trial) => figureCell(trial.train_loss) },
    { key: "valid", head: say("Validation {metric}", { metric: word(task, "metric") + unit }), number: true, cell: (trial) => figureCell(trial.valid) },
    { key: "test", head: say("Test {metric}", { metric: word(task, "metric") + unit }), number: true, cell: (trial) => figureCell(trial.test) },
  ];
}

function figureCell(value) {
  return value === null ? "–" : short(value);
}

function outcomeCell(trial) {
  if (trial.outcome === "ok") return outcomeName("ok");
  return element("span", { class: "lost" }, say("{outcome} at step {step}", { outcome: outcomeName(trial.outcome), step: counted(trial.ended) }));
}

/** Whether every word that the reader looks for stands somewhere in a trial's row. */
function found(trial, words) {
  const name = spoken("contender", trial.contender, (index) => view.contenders[index].name);
  const stage = spoken("stage", trial.stage, stageWords);
  const outcome = spoken("outcome", trial.outcome, outcomeWords);
  trial.text ??= `${name} ${spoken("rate", trial.rate, rateName)} seed ${trial.seed} ${stage} ${outcome}`;
  return words.every((part) => trial.text.includes(part));
}

/** What many trials have in common, as text to find them by, made once: the kind of thing → the thing → its words. */
const spokenOf = { contender: new Map(), stage: new Map(), outcome: new Map(), rate: new Map() };

function spoken(kind, thing, say) {
  const known = spokenOf[kind];
  if (!known.has(thing)) known.set(thing, say(thing).toLowerCase());
  return known.get(thing);
}

export function trialsFigure(figure) {
  const task = view.tasks[figure.dataset.task];
  const place = `trials-${task.index}`;
  const { chosen, watchers } = selections[task.index];
  const box = figure.querySelector(".rows");
  const state = controls(figure, () => promptly(narrow, narrow));
  const clear = figure.querySelector(".clear");
  const [head, body, space] = [element("div", { class: "rows-head", role: "rowgroup" }), element("div", { class: "rows-body", role: "rowgroup", tabindex: "0" }), element("div", { class: "rows-space", role: "presentation" })];
  const sorting = { key: "", down: false };
  [sorting.key, sorting.down] = [recallSort()[0], recallSort()[1]];
  let [all, shown, compared, focus] = [[], [], recallCompared(), -1];
  const coordinates = parallel(figure, task, place, () => promptly(narrow, narrow));
  body.append(space);
  box.append(head, body);

  function recallSort() {
    const [key = "", way = ""] = (recall(`${place}.sort`) ?? "").split("~");
    return [key, way === "down"];
  }

  function recallCompared() {
    return (recall(`${place}.compare`) ?? "").split("~").filter(Boolean);
  }

  function* refresh() {
    if (!areTrialsHere()) return;
    task.order = new Map(task.standings.map((standing, i) => [standing.contender, i]));
    all = trialsOf(task);
    const dials = dialNames(all).length;
    if (dials) box.style.setProperty("--dials", `repeat(${dials}, minmax(5rem, 0.8fr))`);
    box.style.setProperty("--more", `${5.8 * dials}rem`);
    const any = ["", say("all")];
    offerOptions(figure, state, "contender", [any, ...task.standings.map(({ contender }) => [contender, view.contenders[contender].label])]);
    offerOptions(figure, state, "stage", [any, ...once(all, "stages", () => distinct(all.map((trial) => trial.stage))).map((stage) => [stage, stageName(stage)])]);
    offerOptions(figure, state, "outcome", [any, ...once(all, "outcomes", () => distinct(all.map((trial) => trial.outcome))).map((name) => [name, outcomeName(name)])]);
    yield;
    yield* coordinates.prepare(all);
    heads();
    yield* narrow();
    compareTrials(figure, task, compared.map((id) => all.find((trial) => trial.id === id)).filter(Boolean), compare);
    describe(figure, say("All trials"), () => trialsTable(shown.map((trial) => [task, trial])));
  }

  /** The reader wants to see other trials than before. */
  function* narrow() {
    if (!areTrialsHere()) return;
    const words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
    const passing = [];
    for (let i = 0; i < all.length; i++) {
      if (i % 1000 === 999) yield;
      if (passes(all[i], i, words)) passing.push(all[i]);
    }
    shown = passing;
    yield;
    sort();
    box.setAttribute("aria-rowcount", String(shown.length + 1));
    paintRows();
    tally();
    yield;
    coordinates.draw(shown.length < all.length ? new Set(shown) : null);
  }

  function passes(trial, i, words) {
    return (
      (state.contender === "" || trial.contender === Number(state.contender)) &&
      (!chosen.size || chosen.has(trial.contender)) &&
      (state.stage === "" || trial.stage === state.stage) &&
      (state.outcome === "" || trial.outcome === state.outcome) &&
      coordinates.passes(i) &&
      (!words.length || found(trial, words))
    );
  }

  function sort() {
    const column = columnsOf(task, dialNames(all)).find(({ key }) => key === sorting.key);
    if (!column) return;
    const value = column.value ?? ((trial) => trial[column.key]);
    const way = sorting.down ? -1 : 1;
    const keyed = shown.map((trial) => [value(trial), trial]);
    keyed.sort(([a], [b]) => (a === null ? (b === null ? 0 : 1) : b === null ? -1 : way * ((a > b) - (a < b)))); // what failed comes last either way
    shown = keyed.map(([, trial]) => trial);
  }

  function heads() {
    const row = element("div", { class: "line", role: "row" });
    for (const column of columnsOf(task, dialNames(all))) {
      const sorted = column.key === sorting.key ? (sorting.down ? "descending" : "ascending") : "none";
      const button = element("button", { type: "button", "data-key": column.key }, column.head, element("i", { "aria-hidden": "true" }, { ascending: " ↑", descending: " ↓" }[sorted] ?? ""));
      row.append(element("span", { role: "columnheader", "aria-sort": sorted, class: column.number ? "n" : "" }, button));
    }
    head.replaceChildren(row);
  }

  function paintRows() {
    space.style.setProperty("height", `${shown.length * ROW_HEIGHT}px`);
    const first = Math.max(0, Math.floor(body.scrollTop / ROW_HEIGHT) - 6);
    const last = Math.min(shown.length, first + Math.ceil(body.clientHeight / ROW_HEIGHT) + 12);
    const columns = columnsOf(task, dialNames(all));
    const lines = [];
    for (let i = first; i < last; i++) {
      const trial = shown[i];
      const line = element("div", { class: "line", role: "row", "aria-rowindex": i + 2, "data-at": i });
      line.classList.toggle("focus", i === focus);
      line.classList.toggle("compared", compared.includes(trial.id));
      line.style.setProperty("top", `${i * ROW_HEIGHT}px`);
      for (const column of columns) line.append(element("span", { role: "cell", class: column.number ? "n" : "" }, column.cell(trial)));
      lines.push(line);
    }
    space.replaceChildren(...lines);
  }

  function tally() {
    const narrowed = shown.length < all.length;
    figure.querySelector(".tally").textContent = narrowed ? say("{shown} of {trials} trials", { shown: counted(shown.length), trials: counted(all.length) }) : say("{trials} trials", { trials: counted(all.length) });
    clear.hidden = !narrowed;
  }

  function compare(trial) {
    compared = compared.includes(trial.id) ? compared.filter((id) => id !== trial.id) : [...compared.slice(-1), trial.id];
    remember(`${place}.compare`, compared.join("~"), "");
    paintRows();
    compareTrials(figure, task, compared.map((id) => all.find((other) => other.id === id)).filter(Boolean), compare);
  }

  head.addEventListener("click", (event) => {
    const key = event.target.closest("button")?.dataset.key;
    if (!key) return;
    [sorting.down, sorting.key] = [sorting.key === key ? !sorting.down : ["valid", "test"].includes(key) && task.higher_is_better, key];
    remember(`${place}.sort`, `${sorting.key}~${sorting.down ? "down" : "up"}`, "");
    sort();
    heads();
    head.querySelector(`[data-key="${key}"]`).focus();
    body.scrollTop = 0;
    paintRows();
  });
  space.addEventListener("click", (event) => {
    const line = event.target.closest(".line");
    if (line) compare(shown[Number(line.dataset.at)]);
  });
  body.addEventListener("keydown", (event) => {
    const move = { ArrowUp: -1, ArrowDown: 1, PageUp: -12, PageDown: 12 }[event.key];
    if (event.target !== body || (!move && event.key !== "Enter")) return;
    event.preventDefault();
    if (event.key === "Enter") return shown[focus] && compare(shown[focus]);
    focus = Math.min(shown.length - 1, Math.max(0, focus + move));
    body.scrollTop = Math.max(0, Math.min(body.scrollTop, focus * ROW_HEIGHT), (focus + 1) * ROW_HEIGHT - body.clientHeight);
    paintRows();
  });
  clear.addEventListener("click", () => {
    for (const control of figure.querySelectorAll(".filters [data-control]")) {
      [control.value, state[control.dataset.control]] = ["", ""];
      remember(`${place}.${control.dataset.control}`, "", "");
    }
    coordinates.release();
    if (chosen.size) isolate(task, null);
  });
  let frame = 0;
  body.addEventListener("scroll", () => (frame ||= requestAnimationFrame(() => ((frame = 0), paintRows()))));
  watchers.set(narrow, narrow);
  whenSized(box, refresh);
}
