// What all figures share: the view, elements, colours of the theme, the tip at the pointer, and who is selected.

const view = JSON.parse(document.getElementById("view").textContent);
const SVG = document.querySelector("svg").namespaceURI;
const redraws = new Set(); // one function per figure, called when the theme changes

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function drawn(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// ---- theme ------------------------------------------------------------------------------------------------------

let printing = false;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  if (printing) return false;
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : prefersDark.matches;
}

/** The colour of a contender, for a canvas, which knows no classes. */
function colourOf(contender) {
  return view.palette.colours[contender.colour][isDark() ? 1 : 0];
}

/** A custom property of the stylesheet as a colour that a canvas understands. */
function paint(property) {
  const probe = document.getElementById("probe") || document.body.appendChild(element("i", { id: "probe" }));
  probe.style.color = printing ? "" : `var(${property})`;
  return printing ? { "--ink": "#1b1f24", "--soft": "#565f69", "--line": "#e4e6e3", "--faint": "#878f98", "--page": "#fff" }[property] : getComputedStyle(probe).color;
}

/** A CSS colour with another opacity: #rrggbb → #rrggbbaa. */
function translucent(hex, opacity) {
  return hex + Math.round(255 * opacity).toString(16).padStart(2, "0");
}

// ---- numbers ----------------------------------------------------------------------------------------------------

/** A power of ten with a raised exponent, or the number as it stands when it is close to one. */
function power(value) {
  const exponent = Math.round(Math.log10(value));
  if (exponent >= -2 && exponent <= 3) return String(Number(value.toPrecision(3)));
  return "10" + String(exponent).replace(/[-\d]/g, (digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]));
}

function short(value) {
  if (value === null || value === undefined) return "failed";
  const rounded = Number(value.toPrecision(4));
  return (Math.abs(rounded) >= 1e4 ? rounded.toLocaleString("en") : String(rounded)).replace("-", "−");
}

function withUnit(value, unit) {
  return value === null || value === undefined || !unit ? short(value) : `${short(value)} ${unit}`;
}

// ---- tip --------------------------------------------------------------------------------------------------------

const tip = document.getElementById("tip");

/** Shows a title and lines of plain text beside a point of the window, inside it. */
function showTip(x, y, title, lines) {
  tip.replaceChildren(element("strong", {}, title), ...lines.map((line) => element("span", {}, line)));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const right = x + 16 + width < innerWidth ? x + 16 : x - 16 - width;
  tip.style.left = `${Math.max(6, right)}px`;
  tip.style.top = `${Math.max(6, Math.min(y - height / 2, innerHeight - height - 6))}px`;
}

function hideTip() {
  tip.hidden = true;
}

// ---- controls ---------------------------------------------------------------------------------------------------

/** The values of a figure's controls, and `changed` called whenever the reader moves one. */
function controls(figure, changed) {
  const state = {};
  for (const control of figure.querySelectorAll("[data-control]")) {
    const name = control.dataset.control;
    if (control.tagName === "SELECT") {
      state[name] = control.value;
      control.addEventListener("change", () => ((state[name] = control.value), changed()));
      continue;
    }
    state[name] = control.querySelector("[aria-pressed=true]").value;
    control.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      press(control, button);
      state[name] = button.value;
      changed();
    });
  }
  return state;
}

function press(group, button) {
  for (const other of group.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
}

function offer(figure, name, shown) {
  const control = figure.querySelector(`[data-control=${name}]`);
  if (control) control.hidden = !shown;
}

/** Per task: the contenders isolated by the reader. Empty means all. Figures of one task share it. */
const selections = view.tasks.map(() => ({ chosen: new Set(), watchers: [] }));

function legend(figure, selection, changed) {
  const box = figure.querySelector(".legend");
  const all = box.querySelector(".all");
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const index = Number(button.dataset.contender);
    if (button === all) selection.chosen.clear();
    else if (!selection.chosen.delete(index)) selection.chosen.add(index);
    for (const watcher of selection.watchers) watcher();
  });
  selection.watchers.push(() => {
    box.classList.toggle("some", selection.chosen.size > 0);
    all.hidden = selection.chosen.size === 0;
    for (const button of box.querySelectorAll("[data-contender]")) {
      button.setAttribute("aria-pressed", String(selection.chosen.has(Number(button.dataset.contender))));
    }
    changed();
  });
}
