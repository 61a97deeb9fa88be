// Figures as files: the picture as SVG and PNG, the numbers as CSV and JSON; and the files of the whole study.

import { data, view } from "./data.js";
import { element } from "./dom.js";
import { pictureOf } from "./picture.js";
import { trialsOf, trialsTable } from "./trial_data.js";

const described = new WeakMap(); // figure → {title, table}

/** What a figure is called and, as a function, its numbers: rows with a head. */
export function describe(figure, title, table) {
  described.set(figure, { title, table });
}

export function saving(figure) {
  figure.addEventListener("click", (event) => {
    const form = event.target.closest("[data-save]")?.dataset.save;
    if (!form) return;
    const { title, table } = described.get(figure);
    const name = `${view.study.name}-${view.tasks[figure.dataset.task].name}-${figure.dataset.figure}`.replace(/[^\p{L}\p{N}.-]+/gu, "-").slice(0, 80);
    if (form === "csv") save(`${name}.csv`, "text/csv", csv(table()));
    if (form === "json") save(`${name}.json`, "application/json", JSON.stringify(objects(table()), null, 1));
    if (form === "svg") save(`${name}.svg`, "image/svg+xml", pictureOf(figure, title).text);
    if (form === "png") savePng(figure, title, `${name}.png`);
  });
}

function save(name, type, ...parts) {
  const address = URL.createObjectURL(parts[0] instanceof Blob ? parts[0] : new Blob(parts, { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Text that no spreadsheet takes for a formula, and that may hold commas, quotes and line ends. */
function csv(rows) {
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
}

function objects([head, ...rows]) {
  return rows.map((row) => Object.fromEntries(head.map((key, i) => [key, row[i] ?? null])));
}

/** The lines of a chart: one row per point of a line that has a name. */
export function linesTable({ lines, x, y }) {
  const head = ["line", x.title, y.title, "low", "high", "n"];
  const named = lines.filter((line) => line.label);
  return [head, ...named.flatMap((line) => line.x.map((at, i) => [line.label, at, line.mid[i], line.low?.[i] ?? null, line.high?.[i] ?? null, line.n?.[i] ?? null]))];
}

async function savePng(figure, title, name) {
  const canvas = figure.querySelector(".parallel canvas");
  if (canvas) return canvas.toBlob((blob) => save(name, "image/png", blob));
  const { text, width, height } = pictureOf(figure, title);
  const address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const image = new Image();
  image.src = address;
  await image.decode();
  const paper = element("canvas", { width: 2 * width, height: 2 * height });
  paper.getContext("2d").drawImage(image, 0, 0, paper.width, paper.height);
  URL.revokeObjectURL(address);
  paper.toBlob((blob) => save(name, "image/png", blob));
}

/** Files of the whole study. */
export function taking() {
  document.addEventListener("click", (event) => {
    const name = event.target.closest("[data-take]")?.dataset.take;
    if (!name) return;
    if (name === "view.json") save("study.json", "application/json", JSON.stringify(view, null, 1));
    else if (name === "trials.csv") save("trials.csv", "text/csv", csv(trialsTable(view.tasks.flatMap((task) => trialsOf(task).map((trial) => [task, trial])))));
    else save(name, "text/plain", data.files[name]);
  });
}
