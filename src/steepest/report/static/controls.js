// The controls of a figure: their values come from the address, and go there when the reader moves one.

import { recall, remember } from "./address.js";
import { element, press } from "./dom.js";

/** The values of a figure's controls, by name, and `changed` called whenever the reader moves one. */
export function controls(figure, changed) {
  const state = {};
  const place = `${figure.dataset.figure}-${figure.dataset.task}`;
  for (const control of figure.querySelectorAll("[data-control]")) {
    const name = control.dataset.control;
    const key = `${place}.${name}`;
    if (control.tagName === "SPAN") segmented(control, state, name, key, changed);
    else {
      const usual = control.tagName === "SELECT" ? null : control.value; // a select's first option, which is not there yet
      state[name] = recall(key) ?? usual;
      if (control.tagName !== "SELECT") control.value = state[name];
      control.addEventListener("input", () => {
        state[name] = control.value;
        remember(key, control.value, control.tagName === "SELECT" ? control.options[0].value : usual);
        changed(name);
      });
    }
  }
  return state;
}

function segmented(group, state, name, key, changed) {
  const usual = group.querySelector("[aria-pressed=true]").value;
  const wanted = recall(key);
  const known = [...group.querySelectorAll("button")].find((button) => button.value === wanted);
  if (known) press(group, known);
  state[name] = known ? wanted : usual;
  group.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    press(group, button);
    state[name] = button.value;
    remember(key, button.value, usual);
    changed(name);
  });
}

const MOST_OPTIONS = 100; // beyond, a select gets its options when the reader turns to it: they cost time in every layout

/** Gives a select its options [[value, label]], if they are not there yet; a choice that is gone falls to the first. */
export function offerOptions(figure, state, name, options) {
  const control = figure.querySelector(`[data-control=${name}]`);
  if (!options.some(([value]) => String(value) === state[name])) state[name] = String(options[0]?.[0] ?? "");
  const fill = (some) => {
    const signature = JSON.stringify(some);
    if (control.dataset.options === signature) return;
    control.dataset.options = signature;
    control.replaceChildren(...some.map(([value, label]) => element("option", { value }, label)));
    control.value = state[name];
  };
  const isShort = options.length <= MOST_OPTIONS;
  control.onfocus = isShort ? null : () => fill(options);
  fill(isShort || document.activeElement === control ? options : options.filter(([value], i) => i === 0 || String(value) === state[name]));
  control.value = state[name];
  control.closest("label").hidden = options.length < 2;
}

export function offer(figure, name, shown) {
  const control = figure.querySelector(`[data-control=${name}]`);
  if (control) control.hidden = !shown;
}
