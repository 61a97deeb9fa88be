// Start: theme, language, tabs, keys, and every figure that the page holds.

import { recall, remember } from "./address.js";
import { learningFigure } from "./curves.js";
import { eachRateFigure } from "./curves_by_rate.js";
import { view } from "./data.js";
import { diagnosisFigure } from "./diagnosis.js";
import { root } from "./dom.js";
import { say, setLanguage, speak } from "./language.js";
import { contents, keys, tabs } from "./navigation.js";
import { choice } from "./preferences.js";
import { setPrinting } from "./printing.js";
import { ratesFigure } from "./rates.js";
import { saving, taking } from "./saving.js";
import { isLarge, promptly, redrawAll } from "./scheduler.js";
import { bestOfFigure, targetFigure } from "./speed.js";
import { prefersDark, setTheme } from "./theme.js";
import { trialsFigure } from "./trials.js";

const FIGURES = {
  ...{ learning: learningFigure, rates: ratesFigure, each: eachRateFigure, target: targetFigure, bestof: bestOfFigure },
  ...{ diagnosis: diagnosisFigure, trials: trialsFigure },
};

/** What follows a reader's choice of a theme or a language: it goes into the address, and figures are drawn again. */
function afterChoice(id, value, usual) {
  remember(id, value, usual);
  if (isLarge()) requestAnimationFrame(() => setTimeout(redrawAll)); // when the text has its new layout
  else redrawAll();
}

/** Every part of the page that has words, none within another: each gets its new layout on its own. */
function blocks() {
  return [...document.querySelectorAll("body > :not(main, script), main > :not(article), article > *")];
}

/** Turns the page to another language: at once what is in sight, the rest in turns where a page is large. */
function changeLanguage(language) {
  const all = blocks();
  if (root.dataset.split !== "yes") for (const block of all) block.lang = root.lang; // now the page's own language rules none of them
  root.dataset.split = "yes";
  root.lang = language;
  const isSeen = ({ top, bottom }) => top < innerHeight && bottom > 0;
  const [seen, rest] = [[], []];
  for (const block of all) (isSeen(block.getBoundingClientRect()) ? seen : rest).push(block);
  for (const block of seen) speak(block, language);
  promptly(changeLanguage, function* () {
    for (const block of rest) {
      speak(block, language);
      yield block.offsetHeight; // its layout is a part of the turn
    }
  });
}

function copying() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const before = [...button.childNodes];
    try {
      await navigator.clipboard.writeText(view.reproduce.command);
      button.replaceChildren(say("Copied"));
    } catch {
      getSelection().selectAllChildren(document.querySelector(".command code"));
      button.replaceChildren(say("Selected"));
    }
    setTimeout(() => button.replaceChildren(...before), 1600);
  });
}

/** Sets the page up and draws every figure; trials may come later. */
export function start() {
  const nextTheme = choice("theme", recall("theme"), (value, isNew, usual) => {
    setTheme(value);
    if (isNew) afterChoice("theme", value, usual);
  });
  const nextLanguage = choice("language", recall("language"), (value, isNew, usual) => {
    if (!isNew) return setLanguage(value);
    changeLanguage(value);
    afterChoice("language", value, usual);
  });
  prefersDark.addEventListener("change", redrawAll);
  keys(contents(), nextTheme, nextLanguage);
  copying();
  taking();
  const arrangeTabs = tabs();
  for (const figure of document.querySelectorAll("[data-figure]")) {
    FIGURES[figure.dataset.figure](figure);
    if (figure.tagName === "FIGURE") saving(figure);
  }
  for (const [event, value] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(event, () => {
      setPrinting(value);
      arrangeTabs();
      redrawAll();
    });
  }
}
