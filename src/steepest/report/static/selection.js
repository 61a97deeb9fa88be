// The contenders that the reader has isolated, and the names to click.

import { recalledList, remember } from "./address.js";
import { nameTag } from "./contenders.js";
import { view } from "./data.js";
import { element } from "./dom.js";
import { language, say } from "./language.js";
import { promptly, redraws } from "./scheduler.js";

/** Per task: the contenders isolated by the reader. Empty means all. Figures of one task share it. */
export const selections = view.tasks.map((task) => ({ chosen: new Set(recalledList(`show-${task.index}`).map(Number)), watchers: new Map() }));

export function isolate(task, index) {
  const { chosen, watchers } = selections[task.index];
  if (index === null) chosen.clear();
  else if (!chosen.delete(index)) chosen.add(index);
  remember(`show-${task.index}`, [...chosen].join("."), "");
  for (const [who, draw] of watchers) promptly(who, draw);
}

/** Names to click, in the order of the ranking, shared by all figures of a task. */
export function legend(figure, task) {
  const box = figure.querySelector(".legend");
  const selection = selections[task.index];
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) isolate(task, button.dataset.contender === undefined ? null : Number(button.dataset.contender));
  });
  const arrange = () => {
    const order = task.standings.map((standing) => standing.contender);
    const signature = `${order} ${language()}`;
    if (box.dataset.order !== signature) {
      box.dataset.order = signature;
      const names = order.map((index) => element("button", { type: "button", "data-contender": index }, nameTag(index)));
      box.replaceChildren(...names, element("button", { type: "button", class: "all" }, say("Show all")));
    }
    box.classList.toggle("some", selection.chosen.size > 0);
    box.querySelector(".all").hidden = selection.chosen.size === 0;
    for (const button of box.querySelectorAll("[data-contender]")) {
      button.setAttribute("aria-pressed", String(selection.chosen.has(Number(button.dataset.contender))));
    }
  };
  selection.watchers.set(box, arrange);
  redraws.set(box, arrange);
  arrange();
}
