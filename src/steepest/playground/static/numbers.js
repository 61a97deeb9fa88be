// Numbers: how they are written.

const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";
export const raised = (k) => (k < 0 ? "⁻" : "") + String(Math.abs(k)).replace(/\d/g, (d) => SUPERSCRIPT[d]);
const power = (k) => `10${raised(k)}`;

export function number(value, digits = 2) {
  const size = Math.abs(value);
  if (size === 0 || (size > 0.999e-3 && size < 1e4)) return String(Number(value.toPrecision(digits))).replace("-", "−");
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const ten = power(Number(exponent));
  return Number(mantissa) === 1 ? ten : `${String(Number(mantissa)).replace("-", "−")}·${ten}`;
}

// A setting as it was chosen: 0.999 is not 1.
export const setting = (value) => (value < 1e-3 ? number(value) : String(value));

// A position, to what the packing keeps of it.
export const position = (value) => value.toFixed(2).replace(/^-0\.00$/, "0.00").replace("-", "−");

export const bracketed = (text) => (/^−|·/.test(text) ? `(${text})` : text);
