// Start: theme, tabs, copying the command, and every figure that the page holds.

const FIGURES = { learning: learningFigure, rates: ratesFigure, each: eachRateFigure };

function redrawAll() {
  for (const redraw of redraws) redraw();
}

function themeSwitch() {
  const group = document.getElementById("theme");
  const remember = (value) => {
    try {
      localStorage.setItem("steepest-theme", value);
    } catch {
      // a file opened from disk may have no storage: the choice then lasts as long as the page
    }
  };
  const recall = () => {
    try {
      return localStorage.getItem("steepest-theme");
    } catch {
      return null;
    }
  };
  const choose = (value) => {
    if (value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
    press(group, group.querySelector(`[value=${value}]`));
    redrawAll();
  };
  group.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    choose(button.value);
    remember(button.value);
  });
  prefersDark.addEventListener("change", redrawAll);
  const remembered = recall();
  if (remembered === "light" || remembered === "dark") choose(remembered);
}

function tabs() {
  const buttons = [...document.querySelectorAll("[role=tab]")];
  const panels = buttons.map((button) => document.getElementById(button.getAttribute("aria-controls")));
  const choose = (index, focus) => {
    buttons.forEach((button, i) => {
      button.setAttribute("aria-selected", String(i === index));
      button.tabIndex = i === index ? 0 : -1;
      panels[i].hidden = i !== index;
    });
    if (focus) buttons[index].focus();
  };
  buttons.forEach((button, i) => {
    button.addEventListener("click", () => choose(i, false));
    button.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (move) choose((i + move + buttons.length) % buttons.length, true);
    });
  });
  if (buttons.length) choose(0, false);
  return () => panels.forEach((panel, i) => (panel.hidden = printing ? false : buttons[i].getAttribute("aria-selected") !== "true"));
}

function copying() {
  const button = document.getElementById("copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(view.reproduce.command);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(document.querySelector(".command code"));
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1600);
  });
}

themeSwitch();
copying();
const arrangeTabs = tabs();
for (const figure of document.querySelectorAll("figure[data-figure]")) FIGURES[figure.dataset.figure](figure);
for (const [event, value] of [["beforeprint", true], ["afterprint", false]]) {
  addEventListener(event, () => {
    printing = value;
    arrangeTabs();
    redrawAll();
  });
}
document.documentElement.dataset.ready = "yes";
