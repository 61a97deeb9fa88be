// Follows a running study: the server sends what has changed, and only that is drawn again.

import { nameTag } from "./contenders.js";
import { data, view } from "./data.js";
import { element, root } from "./dom.js";
import { language, say, speak } from "./language.js";
import { counted, duration } from "./numbers.js";
import { redrawAll, redraws, soon } from "./scheduler.js";
import { takeTrials } from "./trial_data.js";

export function follow() {
  const bar = document.getElementById("progress");
  if (!bar || !root.dataset.live) return;
  let [state, events, heard] = [null, null, 0];

  const listen = () => {
    events = new EventSource(`${location.pathname}/events?version=${root.dataset.live}`);
    events.addEventListener("progress", (event) => {
      state = JSON.parse(event.data);
      heard = Date.now();
      show();
      if (state.state === "finished") setTimeout(() => root.dataset.state === "finished" && events.close(), 10_000); // after the last update
    });
    events.addEventListener("update", (event) => update(JSON.parse(event.data)));
    events.addEventListener("reload", () => (events.close(), location.reload()));
    events.addEventListener("error", show);
  };

  /** The state of the run, in a bar and in words; a finished study needs neither. */
  function show() {
    if (!state) return;
    root.dataset.state = state.state;
    bar.hidden = state.state === "finished";
    if (bar.hidden) return;
    const share = state.planned ? state.trials / state.planned : 0;
    const lost = events.readyState !== EventSource.OPEN;
    const parts = [say("{done} of {planned} trials ({share} %)", { done: counted(state.trials), planned: counted(state.planned), share: Math.floor(100 * share) })];
    if (state.failed) parts.push(say("{failed} failed", { failed: counted(state.failed) }));
    parts.push(duration(state.seconds));
    if (lost) parts.push(say("no connection to the server"));
    else if (state.state === "silent") parts.push(say("no recent progress; if the study was stopped, steepest resume continues it"));
    else if (state.stage === "preparing") parts.push(say("checking the tasks and timing the steps"));
    else if (state.left !== null) parts.push(say("about {time} left", { time: duration(state.left) }));
    if (view.tasks.length) parts.push(say("the results are preliminary"));
    const meter = element("progress", { max: Math.max(1, state.planned), value: state.trials, "aria-label": say("Trials done") });
    const rows = state.rows.map((row) => {
      const small = element("progress", { class: `c${view.contenders[row.contender]?.colour ?? 0}`, max: 1, value: row.share, "aria-label": view.contenders[row.contender]?.label ?? "" });
      return element("li", {}, view.contenders[row.contender] ? nameTag(row.contender) : "", small, element("span", { class: "lost" }, row.failed ? `${row.failed} ×` : ""));
    });
    bar.classList.toggle("still", lost || state.state === "silent");
    bar.replaceChildren(element("p", {}, element("b", {}, state.state === "running" && !lost ? say("Running") : say("Waiting")), " ", parts.join(" · ")), meter, element("ul", {}, ...rows));
  }

  function update({ version, changes, sections }) {
    const shape = JSON.stringify([view.tasks.length, view.contenders.length]);
    for (const change of changes) apply(data, change);
    if (JSON.stringify([data.view.tasks.length, data.view.contenders.length]) !== shape || data.view !== view) return location.reload();
    root.dataset.live = version;
    for (const [name, html] of Object.entries(sections)) replace(name, html);
    redrawAll();
  }

  /** The trials, which are more than all the rest, come after what the reader sees first. */
  async function fetchTrials() {
    const answer = await fetch(`${location.pathname}/trials`);
    const lines = await answer.text();
    if (answer.ok) soon(takeTrials, () => takeTrials(lines));
  }

  redraws.set(bar, show);
  setInterval(() => heard && Date.now() - heard > 20_000 && show(), 5000);
  listen();
  soon(fetchTrials, () => void fetchTrials());
}

/** [path] deletes, [path, value] sets, [path, n, items] appends. */
function apply(whole, change) {
  const [path] = change;
  const last = path[path.length - 1];
  const holder = path.slice(0, -1).reduce((at, key) => at[key], whole);
  if (change.length === 1) delete holder[last];
  else if (change.length === 2) holder[last] = change[1];
  else holder[last].push(...change[2]);
}

/** A section of words, rendered by the server from the same template as the page; scripts in it would not run. */
function replace(name, html) {
  const old = document.querySelector(`[data-section="${name}"]`);
  const fresh = document.adoptNode(new DOMParser().parseFromString(html, "text/html").body.firstElementChild);
  if (!old) return;
  const wasOpen = [...old.querySelectorAll("details")].map((details) => details.open);
  fresh.querySelectorAll("details").forEach((details, i) => (details.open = Boolean(wasOpen[i])));
  old.replaceWith(fresh);
  speak(fresh, language());
}
