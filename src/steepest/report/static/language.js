// The languages of the page: all words that scripts show go through here. Scripts say everything in English; the page
// carries what they say in every other language, as Python's catalogues have it.

import { root } from "./dom.js";

const CATALOGUES = JSON.parse(document.getElementById("words")?.textContent ?? "{}"); // language → { forms, words }

/** The code of the language that the page shows. */
export function language() {
  return root.lang;
}

/** A sentence in the page's language, from its English template, in which {name} stands for a part. */
export function say(english, parts = {}) {
  return filled(found(english) ?? english, parts);
}

/** The same about a number n, in its singular and its plural. */
export function plural(n, one, many, parts = {}) {
  const forms = CATALOGUES[language()]?.forms ?? [];
  const form = forms[n < forms.length ? n : 100 + (n % 100)] ?? 0;
  return filled([found(one)].flat()[form] ?? (n === 1 ? one : many), { n, ...parts });
}

/** A word whose English has another meaning elsewhere. */
export function meant(context, english) {
  return found(`${context}\u0004${english}`) ?? english;
}

function found(key, code = language()) {
  return CATALOGUES[code]?.words[key];
}

function filled(template, parts) {
  return template.replace(/\{(\w+)[^}]*\}/g, (_, name) => parts[name]);
}

/** One of the wordings {language: words}. */
export function ofPair(wordings) {
  return wordings[language()] ?? wordings.en;
}

/** What the data say under a key, in the page's language where they know several. */
export function word(thing, key) {
  return typeof thing[key] === "object" ? ofPair(thing[key]) : thing[key];
}

const STAGES = { grid: () => say("grid"), refine: () => say("refine"), extend: () => say("extend"), search: () => say("search") };
const OUTCOMES = {
  ok: () => meant("outcome", "ok"),
  stopped: () => meant("outcome", "stopped"),
  diverged: () => meant("outcome", "diverged"),
  nonfinite: () => meant("outcome", "nonfinite"),
  oom: () => meant("outcome", "oom"),
  error: () => meant("outcome", "error"),
  killed: () => meant("outcome", "killed"),
  timeout: () => meant("outcome", "timeout"),
};

export function stageName(stage) {
  return STAGES[stage]?.() ?? stage;
}

export function outcomeName(outcome) {
  return OUTCOMES[outcome]?.() ?? outcome;
}

/** All names of a stage, to find it by. */
export function stageWords(stage) {
  return inAll(stage, stage);
}

/** All names of an outcome, to find it by. */
export function outcomeWords(outcome) {
  return inAll(outcome, `outcome\u0004${outcome}`);
}

function inAll(english, key) {
  return [english, ...Object.keys(CATALOGUES).map((code) => found(key, code) ?? "")].join(" ");
}

export function setLanguage(language) {
  root.lang = language;
  sayAttributes(document, language);
}

export function speak(block, language) {
  block.lang = language;
  sayAttributes(block, language);
}

/** Attributes such as `aria-label`, of a part of the page and all within. */
function sayAttributes(part, language) {
  for (const name of ["aria-label", "title", "placeholder", "data-label"]) {
    const selector = `[data-${name}-en]`;
    const nodes = [...part.querySelectorAll(selector), ...(part.matches?.(selector) ? [part] : [])];
    for (const node of nodes) node.setAttribute(name, node.getAttribute(`data-${name}-${language}`));
  }
}
