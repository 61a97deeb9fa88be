// A figure as one SVG document, made from the same lines that the canvas shows.

import { drawn, SVG } from "./dom.js";
import { decades, niceMarks, short } from "./numbers.js";
import { paint } from "./theme.js";

const INK = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "fill-opacity", "opacity", "font-size", "font-family", "font-weight", "text-anchor", "stroke-linecap", "stroke-linejoin"];

/** A figure as one SVG document: {text, width, height}. */
export function pictureOf(figure, title) {
  const chart = figure.querySelector(".chart");
  const [content, width, height] = chart ? linePicture(chart) : plotsPicture(figure.querySelector(".panels, .plotbox"));
  const font = getComputedStyle(document.body).fontFamily;
  const sheet = drawn("svg", { xmlns: SVG, width, height: height + 40, viewBox: `0 0 ${width} ${height + 40}`, "font-family": font, "font-size": 12 });
  sheet.append(drawn("rect", { width: "100%", height: "100%", fill: paint("--page") }));
  sheet.append(drawn("text", { x: 14, y: 26, "font-size": 15, "font-weight": 600, fill: paint("--ink") }, title));
  sheet.append(drawn("g", { transform: "translate(0 40)" }, ...content));
  return { text: new XMLSerializer().serializeToString(sheet), width, height: height + 40 };
}

/** The lines of a chart with axes and names, as vectors. */
function linePicture(box) {
  const { lines, x, y } = box.picture;
  const named = lines.filter((line) => line.label);
  const [width, height, left, bottom] = [820, 440 + 18 * Math.ceil(named.length / 4), 62, 44 + 18 * Math.ceil(named.length / 4)];
  if (!box.chart) return [[], width, 60];
  const { min, max } = box.chart.scales.x;
  const [low, high] = [box.chart.scales.y.min, box.chart.scales.y.max];
  const share = (value, a, b, log) => (log ? Math.log(value / a) / Math.log(b / a) : (value - a) / (b - a));
  const px = (value) => left + (width - left - 16) * share(value, min, max, x.log);
  const py = (value) => height - bottom - (height - bottom - 24) * share(Math.max(value, y.log ? low : value), low, high, y.log);
  const edge = y.worse === "high" ? high : low;
  const soft = paint("--soft");
  const [inside, outside] = [[], []];
  for (const mark of y.log ? decades(null, 0, low, high) : niceMarks(low, high)) {
    outside.push(drawn("line", { x1: left, x2: width - 16, y1: py(mark), y2: py(mark), stroke: paint("--line") }));
    outside.push(drawn("text", { x: left - 6, y: py(mark) + 4, "text-anchor": "end", fill: soft }, short(mark)));
  }
  for (const mark of x.log ? decades(null, 0, min, max) : niceMarks(min, max)) {
    outside.push(drawn("text", { x: px(mark), y: height - bottom + 18, "text-anchor": "middle", fill: soft }, short(mark)));
  }
  outside.push(drawn("text", { x: left - 44, y: 12, fill: soft }, y.title), drawn("text", { x: width / 2, y: height - bottom + 36, "text-anchor": "middle", fill: soft }, x.title));
  for (const line of lines) {
    const at = line.x.map((value, i) => [value, i]).filter(([value]) => value >= min && value <= max && (!x.log || value > 0));
    const path = (values, order) => order.map(([value, i]) => `${px(value).toFixed(1)} ${py(values[i] ?? edge).toFixed(1)}`).join("L");
    if (!at.length) continue;
    if (line.low) inside.push(drawn("path", { d: `M${path(line.low, at)}L${path(line.high, [...at].reverse())}Z`, fill: line.colour, "fill-opacity": line.fill ?? 0.13, stroke: "none" }));
    const [stroke, opacity] = [line.colour.slice(0, 7), line.colour.length > 7 ? parseInt(line.colour.slice(7), 16) / 255 : 1];
    inside.push(drawn("path", { d: `M${path(line.mid, at)}`, fill: "none", stroke, "stroke-opacity": opacity, "stroke-width": line.width, "stroke-dasharray": line.dash?.join(" ") || "none" }));
  }
  named.forEach((line, i) => {
    const [column, row] = [left + (i % 4) * 185, height - bottom + 58 + 18 * Math.floor(i / 4)];
    outside.push(drawn("line", { x1: column, x2: column + 24, y1: row - 4, y2: row - 4, stroke: line.colour, "stroke-width": 2.4, "stroke-dasharray": line.dash?.join(" ") || "none" }));
    outside.push(drawn("text", { x: column + 30, y: row, fill: paint("--ink") }, line.label));
  });
  const frame = drawn("svg", { x: left, y: 20, width: width - left - 16, height: height - bottom - 20, viewBox: `${left} 20 ${width - left - 16} ${height - bottom - 20}` }, ...inside);
  return [[...outside, frame], width, height];
}

/** Plots that are SVG on the page already, where they stand, with the styles that the stylesheet gives them. */
function plotsPicture(box) {
  const frame = box.getBoundingClientRect();
  const content = [];
  for (const plot of box.querySelectorAll("svg.plot")) {
    const rect = plot.getBoundingClientRect();
    const copy = plot.cloneNode(true);
    const originals = plot.querySelectorAll("*");
    copy.querySelectorAll("*").forEach((node, i) => {
      const look = getComputedStyle(originals[i]);
      for (const property of INK) node.setAttribute(property, look.getPropertyValue(property));
    });
    for (const [key, value] of [["x", rect.left - frame.left + 12], ["y", rect.top - frame.top], ["width", rect.width], ["height", rect.height]]) copy.setAttribute(key, value);
    content.push(copy);
  }
  for (const name of box.querySelectorAll("header")) {
    const rect = name.getBoundingClientRect();
    content.push(drawn("text", { x: rect.left - frame.left + 12, y: rect.bottom - frame.top - 6, fill: paint("--ink") }, name.textContent.trim().replace(/\s+/g, " ")));
  }
  return [content, Math.round(frame.width) + 24, Math.round(frame.height) + 12];
}
