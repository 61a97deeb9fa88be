// The tip at the pointer.

import { element } from "./dom.js";

const tip = document.getElementById("tip");

/** Shows a title and lines of plain text beside a point of the window, inside it. */
export function showTip(x, y, title, lines) {
  tip.replaceChildren(element("strong", {}, title), ...lines.map((line) => element("span", {}, line)));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const right = x + 16 + width < innerWidth ? x + 16 : x - 16 - width;
  tip.style.left = `${Math.max(6, right)}px`;
  tip.style.top = `${Math.max(6, Math.min(y - height / 2, innerHeight - height - 6))}px`;
}

export function hideTip() {
  tip.hidden = true;
}
