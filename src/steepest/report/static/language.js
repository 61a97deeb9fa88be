// The languages of the page: all words that scripts show go through here.

import { root } from "./dom.js";

/** The language that the page shows: en or zh. */
export function language() {
  return root.lang;
}

/** One of two wordings that stand side by side, like those of the templates. */
export function both(english, chinese) {
  return root.lang === "zh" ? chinese : english;
}

/** The wording of a pair {en, zh}. */
export function ofPair(pair) {
  return both(pair.en, pair.zh);
}

/** What the data say under a key, in the page's language where they know it. */
export function word(thing, key) {
  return (root.lang === "zh" && thing[`${key}_zh`]) || thing[key];
}

const STAGES = { grid: "网格", refine: "细化", extend: "扩展" };
const OUTCOMES = { ok: "完成", stopped: "提前停止", diverged: "发散", nonfinite: "非有限", oom: "内存不足", error: "出错", killed: "被终止", timeout: "超时" };

export function stageName(stage) {
  return both(stage, STAGES[stage] ?? stage);
}

export function outcomeName(outcome) {
  return both(outcome, OUTCOMES[outcome] ?? outcome);
}

/** All names of a stage, to find it by. */
export function stageWords(stage) {
  return `${stage} ${STAGES[stage] ?? ""}`;
}

/** All names of an outcome, to find it by. */
export function outcomeWords(outcome) {
  return `${outcome} ${OUTCOMES[outcome] ?? ""}`;
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
    const selector = `[data-${name}-zh]`;
    const nodes = [...part.querySelectorAll(selector), ...(part.matches?.(selector) ? [part] : [])];
    for (const node of nodes) node.setAttribute(name, node.getAttribute(`data-${name}-${language}`));
  }
}
