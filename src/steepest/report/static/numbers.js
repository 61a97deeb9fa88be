// Numbers: how they are written, and which of them mark an axis.

import { say } from "./language.js";

/** Distinct values in increasing order. */
export function distinct(values) {
  return [...new Set(values)].sort((a, b) => (a > b) - (a < b));
}

/** A power of ten with a raised exponent, or the number as it stands when it is close to one. */
export function power(value) {
  const exponent = Math.round(Math.log10(value));
  if (exponent >= -2 && exponent <= 3) return String(Number(value.toPrecision(3)));
  return "10" + String(exponent).replace(/[-\d]/g, (digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]));
}

export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return say("failed");
  const rounded = Number(value.toPrecision(4));
  return (Math.abs(rounded) >= 1e4 ? rounded.toLocaleString("en") : String(rounded)).replace("-", "−");
}

export function withUnit(value, unit) {
  return value === null || value === undefined || !unit ? short(value) : `${short(value)} ${unit}`;
}

export function counted(number) {
  return number.toLocaleString("en");
}

export function duration(seconds) {
  if (seconds < 90) return say("{s} s", { s: Math.round(seconds) });
  if (seconds < 5400) return say("{min} min", { min: Math.round(seconds / 60) });
  return say("{h} h", { h: (seconds / 3600).toFixed(1) });
}

export function rateName(rate) {
  return short(rate);
}

/** The value of a dial: a number, a choice, or none. */
export function dialValue(value) {
  return value === null ? "–" : typeof value === "number" ? short(value) : String(value);
}

/** Marks of a logarithmic axis: powers of ten, with 2 and 5 between them where there are few. */
export function decades(u, axis, low, high) {
  const marks = [];
  const wide = Math.log10(high / low) > 2.5;
  for (let k = Math.floor(Math.log10(low)); k <= Math.ceil(Math.log10(high)); k++) {
    for (const m of wide ? [1] : [1, 2, 5]) marks.push(Number(`${m}e${k}`));
  }
  return marks.filter((mark) => mark >= low && mark <= high);
}

/** About five round numbers between two. */
export function niceMarks(low, high) {
  const rough = (high - low) / 5;
  const base = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * base).find((s) => s >= rough) ?? base;
  const marks = [];
  for (let k = Math.ceil(low / step); k <= Math.floor(high / step); k++) marks.push(Number((k * step).toPrecision(12)));
  return marks;
}
