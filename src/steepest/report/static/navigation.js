// Moving about the page: tabs, links within it, and keys.

import { recall, remember } from "./address.js";
import { view } from "./data.js";
import { element } from "./dom.js";
import { say } from "./language.js";
import { isPrinting } from "./printing.js";
import { isolate, selections } from "./selection.js";

export function tabs() {
  const buttons = [...document.querySelectorAll("[role=tab]")];
  const panels = buttons.map((button) => document.getElementById(button.getAttribute("aria-controls")));
  const choose = (index, focus) => {
    buttons.forEach((button, i) => {
      button.setAttribute("aria-selected", String(i === index));
      button.tabIndex = i === index ? 0 : -1;
      panels[i].hidden = i !== index;
    });
    for (const link of document.querySelectorAll(".contents a")) link.hash = link.hash.replace(/-\d+$/, `-${index}`);
    remember("task", index, 0);
    if (focus) buttons[index].focus();
  };
  buttons.forEach((button, i) => {
    button.addEventListener("click", () => choose(i, false));
    button.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (move) choose((i + move + buttons.length) % buttons.length, true);
    });
  });
  if (buttons.length) choose(Math.min(buttons.length - 1, Number(recall("task")) || 0), false);
  return () => panels.forEach((panel, i) => (panel.hidden = isPrinting() ? false : buttons[i].getAttribute("aria-selected") !== "true"));
}

/** Links within the page move it, and leave the address to the reader's choices. */
export function contents() {
  const links = [...document.querySelectorAll(".contents a, .skip")];
  const jump = (link) => {
    const target = document.querySelector(link.hash);
    if (!target) return;
    target.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    target.tabIndex = -1;
    target.focus({ preventScroll: true });
  };
  for (const link of links) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      jump(link);
    });
  }
  return (move) => {
    const places = links.filter((link) => link.dataset.part && !link.hidden).map((link) => [link, document.querySelector(link.hash)?.getBoundingClientRect().top]);
    const ahead = places.filter(([, top]) => (move > 0 ? top > 130 : top < 0));
    const next = move > 0 ? ahead[0] : ahead[ahead.length - 1];
    if (next) jump(next[0]);
  };
}

export function keys(move, nextTheme, nextLanguage) {
  const dialog = document.getElementById("keys");
  const rows = () => [
    ["?", say("show these shortcuts")],
    ["j  k", say("next, previous section")],
    ["/", say("find a trial")],
    ["t", say("switch between light, dark and system colours")],
    ["l", say("switch language")],
    ["Esc", say("show all optimizers again")],
    ["← →  ↑ ↓", say("in a chart: move the cursor, choose the curve; Enter isolates it")],
    ["← →  ↑ ↓", say("in parallel coordinates: choose the axis, move its lower limit (with Shift: its upper limit); Delete clears both")],
    ["↑ ↓  Enter", say("in the table: move, compare")],
  ];
  const open = () => {
    const list = rows().map(([key, what]) => element("div", {}, element("dt", {}, element("kbd", {}, key)), element("dd", {}, what)));
    const close = element("button", { type: "button" }, say("Close"));
    close.addEventListener("click", () => dialog.close());
    dialog.replaceChildren(element("h2", {}, say("Keyboard shortcuts")), element("dl", {}, ...list), close);
    dialog.showModal();
  };
  document.getElementById("help").addEventListener("click", open);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.key !== "Escape" && event.target.closest("input, select, textarea"))) return;
    const visible = () => document.querySelector("article:not([hidden]) [data-control=find]");
    const act = {
      "?": open,
      j: () => move(1),
      k: () => move(-1),
      t: nextTheme,
      l: nextLanguage,
      "/": () => visible()?.focus(),
      Escape: () => view.tasks.forEach((task) => selections[task.index].chosen.size && isolate(task, null)),
    }[event.key];
    if (!act || (dialog.open && event.key !== "?")) return;
    if (event.key !== "Escape") event.preventDefault();
    act();
  });
}
