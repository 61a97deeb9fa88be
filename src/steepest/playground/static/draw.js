// Drawing: the ground on a canvas, paths as SVG, so that colours follow the theme by themselves.

import { facts } from "./data.js";

export function shape(name, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

const BANDS = 16;

// Bands of equal height, darker uphill, with a line between them.
export function drawGround(canvas, heights) {
  const { width, height } = canvas;
  const { wide, high } = facts;
  const ink = getComputedStyle(canvas).color.match(/[\d.]+/g).map(Number);
  const at = (px, py) => {
    const x = (px / (width - 1)) * (wide - 1), y = (1 - py / (height - 1)) * (high - 1);
    const i = Math.min(wide - 2, Math.floor(x)), j = Math.min(high - 2, Math.floor(y));
    const u = x - i, v = y - j, k = j * wide + i;
    return (heights[k] * (1 - u) + heights[k + 1] * u) * (1 - v) + (heights[k + wide] * (1 - u) + heights[k + wide + 1] * u) * v;
  };
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const above = new Int16Array(width).fill(-1);
  for (let py = 0; py < height; py++) {
    let left = -1;
    for (let px = 0; px < width; px++) {
      const band = Math.floor(at(px, py) * BANDS);
      const edge = (left >= 0 && band !== left) || (above[px] >= 0 && band !== above[px]);
      left = above[px] = band;
      const k = 4 * (py * width + px);
      [image.data[k], image.data[k + 1], image.data[k + 2]] = ink;
      image.data[k + 3] = edge ? 90 : 6 + 5 * band;
    }
  }
  context.putImageData(image, 0, 0);
}

export const SIZE = { wide: 800, high: 600 };

export function place(window, x, y) {
  const [x0, x1, y0, y1] = window;
  return [((x - x0) / (x1 - x0)) * SIZE.wide, (1 - (y - y0) / (y1 - y0)) * SIZE.high];
}

export function lineOf(window, path, until) {
  const points = [];
  for (let t = 0; t <= Math.min(until, path.end); t++) {
    points.push(place(window, path.w[0][t], path.w[1][t]).map((v) => v.toFixed(1)).join());
  }
  return points.join(" ");
}
