// How a contender looks: its colour, marker, line and name.

import { view } from "./data.js";
import { drawn, element } from "./dom.js";
import { isDark } from "./theme.js";

/** The colour of a contender, for a canvas, which knows no classes. */
export function colourOf(contender) {
  return view.palette.colours[contender.colour][isDark() ? 1 : 0];
}

/** A marker of the shapes that the page's own template draws. */
export function markerAt(marker, x, y, size) {
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
export function nameTag(index) {
  const contender = view.contenders[index];
  const swatch = drawn("svg", { class: `swatch c${contender.colour}`, width: 30, height: 12, "aria-hidden": "true" });
  swatch.append(drawn("line", { x1: 1, x2: 29, y1: 6, y2: 6, "stroke-dasharray": view.palette.dashes[contender.dash].join(" ") || "none" }));
  swatch.append(markerAt(contender.marker, 15, 6, 3.2));
  const name = element("bdi", {}, contender.label);
  if (contender.name !== contender.label) name.title = contender.name;
  return element("span", { class: "name" }, swatch, name);
}
