// Elements of the page: its root, and new ones in HTML and SVG.

export const root = document.documentElement;
export const SVG = document.querySelector("svg").namespaceURI;

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export function drawn(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export function press(group, button) {
  for (const other of group.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
}
