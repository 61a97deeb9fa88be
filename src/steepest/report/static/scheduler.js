// Work in turns: every frame gets a few milliseconds of it, so that the page answers however large its study is.

import { view } from "./data.js";
import { root } from "./dom.js";
import { isPrinting } from "./printing.js";

const MANY_TRIALS = 4000; // trials from which what a reader does is drawn in turns; below, there and then
const TURN_MS = 8; // milliseconds of work in a frame: what is begun is finished, and then the browser has to lay out and paint
const waiting = new Map(); // who → work: a function, which may be a generator and pause by `yield`, or what is left of it
export const redraws = new Map(); // who → the function that draws it: called when theme, language or data change
let nextTurn = 0;

/** Whether the study is large enough for the page to work in turns. */
export function isLarge() {
  return view.study.trials > MANY_TRIALS;
}

/** Does some work in one of the next frames; what the same caller has asked for before is dropped. */
export function soon(who, work) {
  waiting.delete(who);
  waiting.set(who, work);
  root.dataset.ready = "no";
  nextTurn ||= requestAnimationFrame(takeTurn);
}

/** Does some work: at once, or in turns where there is so much of it that the page would stall. */
export function promptly(who, work) {
  if (isLarge() && !isPrinting()) return soon(who, work);
  waiting.delete(who);
  for (let left = begin(work); left; left = begin(left));
}

/** The next piece of work: what is left after it, if anything. */
function begin(work) {
  const job = typeof work === "function" ? work() : work;
  return job?.next && !job.next().done ? job : null;
}

function takeTurn() {
  nextTurn = 0;
  const until = performance.now() + TURN_MS;
  while (waiting.size && performance.now() < until) {
    const [who, work] = waiting.entries().next().value;
    let left = null;
    try {
      left = begin(work);
    } catch (error) {
      reportError(error);
    }
    if (waiting.get(who) !== work) continue; // it was requested again
    if (left) waiting.set(who, left);
    else waiting.delete(who);
  }
  if (waiting.size) nextTurn = requestAnimationFrame(takeTurn);
  else root.dataset.ready = "yes";
}

export function redrawAll() {
  for (const [who, draw] of redraws) promptly(who, draw);
}

/** Draws soon, whenever the width of a box changes (hidden tabs have none), and when theme, language or data do. */
export function whenSized(box, draw) {
  let width = -1;
  const paint = () => {
    width = box.clientWidth;
    return draw();
  };
  new ResizeObserver(() => box.clientWidth !== width && !waiting.has(box) && soon(box, paint)).observe(box);
  redraws.set(box, paint);
  soon(box, paint);
}
