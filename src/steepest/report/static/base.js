// What all figures share: the data, elements, the two languages, colours of the theme, numbers, the tip at the pointer.

const data = JSON.parse(document.getElementById("view").textContent);
const { view } = data;
const SVG = document.querySelector("svg").namespaceURI;

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

// ---- languages --------------------------------------------------------------------------------------------------

/** One of two wordings that stand side by side, like those of the templates. */
function both(english, chinese) {
  return root.lang === "zh" ? chinese : english;
}

/** What the data say under a key, in the page's language where they know it. */
function word(thing, key) {
  return (root.lang === "zh" && thing[`${key}_zh`]) || thing[key];
}

const STAGES = { grid: "网格", refine: "细化", extend: "扩展" };
const OUTCOMES = { ok: "完成", stopped: "提前停止", diverged: "发散", nonfinite: "非有限", oom: "内存不足", error: "出错", killed: "被终止", timeout: "超时" };

function stageName(stage) {
  return both(stage, STAGES[stage] ?? stage);
}

function outcomeName(outcome) {
  return both(outcome, OUTCOMES[outcome] ?? outcome);
}

/** Every part of the page that has words, none within another: each is laid out anew on its own. */
function blocks() {
  return [...document.querySelectorAll("body > :not(main, script), main > :not(article), article > *")];
}

/** Turns the page to another language: at once what is in sight, the rest in turns where a page is large. */
function changeLanguage(language) {
  const all = blocks();
  if (root.dataset.split !== "yes") for (const block of all) block.lang = root.lang; // now the page's own language rules none of them
  root.dataset.split = "yes";
  root.lang = language;
  const isSeen = ({ top, bottom }) => top < innerHeight && bottom > 0;
  const [seen, rest] = [[], []];
  for (const block of all) (isSeen(block.getBoundingClientRect()) ? seen : rest).push(block);
  for (const block of seen) speak(block, language);
  promptly(changeLanguage, function* () {
    for (const block of rest) {
      speak(block, language);
      yield block.offsetHeight; // its layout is a part of the turn
    }
  });
}

function speak(block, language) {
  block.lang = language;
  sayAttributes(block, language);
}

// ---- theme ------------------------------------------------------------------------------------------------------

let printing = false;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  if (printing) return false;
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : prefersDark.matches;
}

/** The colour of a contender, for a canvas, which knows no classes. */
function colourOf(contender) {
  return view.palette.colours[contender.colour][isDark() ? 1 : 0];
}

const ON_PAPER = { "--ink": "#1b1f24", "--soft": "#565f69", "--line": "#e4e6e3", "--faint": "#878f98", "--page": "#ffffff", "--accent": "#2456b8" };

/** A custom property of the stylesheet as a colour that a canvas understands. */
function paint(property) {
  if (printing) return ON_PAPER[property];
  const probe = document.getElementById("probe") || document.body.appendChild(element("i", { id: "probe", "aria-hidden": "true" }));
  probe.style.color = `var(${property})`;
  return getComputedStyle(probe).color;
}

/** A CSS colour with another opacity: #rrggbb → #rrggbbaa. */
function translucent(hex, opacity) {
  return hex + Math.round(255 * opacity).toString(16).padStart(2, "0");
}

const RAMP = { light: ["#1d2c8f", "#6a2ba6", "#b12c88", "#d9544f", "#e08a1e"], dark: ["#7d8cff", "#b483f7", "#e681bd", "#fb9d85", "#ffd166"] };

/** The colour of what lies between the smallest (0) and the largest (1). */
function ramp(share) {
  const stops = RAMP[isDark() ? "dark" : "light"];
  const position = Math.min(1, Math.max(0, share || 0)) * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(position));
  const mix = (from) => {
    const [a, b] = [stops[i], stops[i + 1]].map((stop) => parseInt(stop.slice(from, from + 2), 16));
    return Math.round(a + (b - a) * (position - i)).toString(16).padStart(2, "0");
  };
  return `#${mix(1)}${mix(3)}${mix(5)}`;
}

// ---- numbers ----------------------------------------------------------------------------------------------------

/** A power of ten with a raised exponent, or the number as it stands when it is close to one. */
function power(value) {
  const exponent = Math.round(Math.log10(value));
  if (exponent >= -2 && exponent <= 3) return String(Number(value.toPrecision(3)));
  return "10" + String(exponent).replace(/[-\d]/g, (digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]));
}

function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return both("failed", "失败");
  const rounded = Number(value.toPrecision(4));
  return (Math.abs(rounded) >= 1e4 ? rounded.toLocaleString("en") : String(rounded)).replace("-", "−");
}

function withUnit(value, unit) {
  return value === null || value === undefined || !unit ? short(value) : `${short(value)} ${unit}`;
}

function counted(number) {
  return number.toLocaleString("en");
}

function duration(seconds) {
  if (seconds < 90) return both(`${Math.round(seconds)} s`, `${Math.round(seconds)} 秒`);
  if (seconds < 5400) return both(`${Math.round(seconds / 60)} min`, `${Math.round(seconds / 60)} 分钟`);
  return both(`${(seconds / 3600).toFixed(1)} h`, `${(seconds / 3600).toFixed(1)} 小时`);
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

// ---- contenders -------------------------------------------------------------------------------------------------

/** A marker of the shapes that the page's own template draws. */
function markerAt(marker, x, y, size) {
  const shapes = {
    circle: () => drawn("circle", { r: size }),
    square: () => drawn("rect", { x: -size * 0.9, y: -size * 0.9, width: size * 1.8, height: size * 1.8 }),
    triangle: () => drawn("path", { d: `M0 ${-size * 1.2}L${size * 1.15} ${size * 0.9}H${-size * 1.15}Z` }),
    diamond: () => drawn("path", { d: `M0 ${-size * 1.3}L${size * 1.3} 0L0 ${size * 1.3}L${-size * 1.3} 0Z` }),
    funnel: () => drawn("path", { d: `M0 ${size * 1.2}L${size * 1.15} ${-size * 0.9}H${-size * 1.15}Z` }),
    plus: () => drawn("path", { class: "open", d: `M0 ${-size * 1.2}V${size * 1.2}M${-size * 1.2} 0H${size * 1.2}` }),
    cross: () => drawn("path", { class: "open", d: `M${-size} ${-size}L${size} ${size}M${-size} ${size}L${size} ${-size}` }),
  };
  return drawn("g", { class: "shape", transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` }, shapes[marker]());
}

/** A contender's line, marker and name. */
function nameTag(index) {
  const contender = view.contenders[index];
  const swatch = drawn("svg", { class: `swatch c${contender.colour}`, width: 30, height: 12, "aria-hidden": "true" });
  swatch.append(drawn("line", { x1: 1, x2: 29, y1: 6, y2: 6, "stroke-dasharray": view.palette.dashes[contender.dash].join(" ") || "none" }));
  swatch.append(markerAt(contender.marker, 15, 6, 3.2));
  const name = element("bdi", {}, contender.label);
  if (contender.name !== contender.label) name.title = contender.name;
  return element("span", { class: "name" }, swatch, name);
}

/** Per task: the contenders isolated by the reader. Empty means all. Figures of one task share it. */
const selections = view.tasks.map((task) => ({ chosen: new Set(recalledList(`show-${task.index}`).map(Number)), watchers: new Map() }));

function isolate(task, index) {
  const { chosen, watchers } = selections[task.index];
  if (index === null) chosen.clear();
  else if (!chosen.delete(index)) chosen.add(index);
  remember(`show-${task.index}`, [...chosen].join("."), "");
  for (const [who, draw] of watchers) promptly(who, draw);
}

/** Names to click, in the order of the ranking, shared by all figures of a task. */
function legend(figure, task) {
  const box = figure.querySelector(".legend");
  const selection = selections[task.index];
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) isolate(task, button.dataset.contender === undefined ? null : Number(button.dataset.contender));
  });
  const arrange = () => {
    const order = task.standings.map((standing) => standing.contender);
    const signature = `${order} ${root.lang}`;
    if (box.dataset.order !== signature) {
      box.dataset.order = signature;
      const names = order.map((index) => element("button", { type: "button", "data-contender": index }, nameTag(index)));
      box.replaceChildren(...names, element("button", { type: "button", class: "all" }, both("Show all", "全部显示")));
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
