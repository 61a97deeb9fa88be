// Colours of the theme, for canvases and saved pictures, which know no stylesheet.

import { element, root } from "./dom.js";
import { isPrinting } from "./printing.js";

export const prefersDark = matchMedia("(prefers-color-scheme: dark)");

export function setTheme(value) {
  if (value === "auto") delete root.dataset.theme;
  else root.dataset.theme = value;
}

export function isDark() {
  if (isPrinting()) return false;
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : prefersDark.matches;
}

const ON_PAPER = { "--ink": "#1b1f24", "--soft": "#565f69", "--line": "#e4e6e3", "--faint": "#878f98", "--page": "#ffffff", "--accent": "#2456b8" };

/** A custom property of the stylesheet as a colour that a canvas understands. */
export function paint(property) {
  if (isPrinting()) return ON_PAPER[property];
  const probe = document.getElementById("probe") || document.body.appendChild(element("i", { id: "probe", "aria-hidden": "true" }));
  probe.style.color = `var(${property})`;
  return getComputedStyle(probe).color;
}

/** A CSS colour with another opacity: #rrggbb → #rrggbbaa. */
export function translucent(hex, opacity) {
  return hex + Math.round(255 * opacity).toString(16).padStart(2, "0");
}

const RAMP = { light: ["#1d2c8f", "#6a2ba6", "#b12c88", "#d9544f", "#e08a1e"], dark: ["#7d8cff", "#b483f7", "#e681bd", "#fb9d85", "#ffd166"] };

/** The colour of what lies between the smallest (0) and the largest (1). */
export function ramp(share) {
  const stops = RAMP[isDark() ? "dark" : "light"];
  const position = Math.min(1, Math.max(0, share || 0)) * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(position));
  const mix = (from) => {
    const [a, b] = [stops[i], stops[i + 1]].map((stop) => parseInt(stop.slice(from, from + 2), 16));
    return Math.round(a + (b - a) * (position - i)).toString(16).padStart(2, "0");
  };
  return `#${mix(1)}${mix(3)}${mix(5)}`;
}
