// What every page of the server has: a choice of language and of theme, which the browser remembers between pages.

import { press } from "./dom.js";

/** What a browser remembers between pages; a file opened from disk may have no such memory. */
function stored(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(key);
    localStorage.setItem(key, value);
  } catch {
    // then the choice lasts as long as the page
  }
  return null;
}

/** A group of buttons of which one is chosen: the one that is `wanted`, else from memory, else as the page came. `apply`
 * receives the value, whether a reader has just chosen it, and how the page came. Returns what chooses the next one. */
export function choice(id, wanted, apply) {
  const group = document.getElementById(id);
  const values = [...group.querySelectorAll("button")].map((button) => button.value);
  const usual = group.querySelector("[aria-pressed=true]").value;
  const choose = (value, isNew) => {
    press(group, group.querySelector(`[value=${value}]`));
    apply(value, isNew, usual);
    if (isNew) stored(`steepest-${id}`, value);
  };
  group.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) choose(button.value, true);
  });
  const first = wanted ?? stored(`steepest-${id}`);
  choose(values.includes(first) ? first : usual, false);
  return () => choose(values[(values.indexOf(group.querySelector("[aria-pressed=true]").value) + 1) % values.length], true);
}
