// Why: what the study measured inside its trials, one small chart for each quantity that the view holds.

/** task.probes: [{title, caption, unit, log, series: [{contender, steps, mid, low, high}]}], with Chinese under *_zh. */
function diagnosisFigure(section) {
  const task = view.tasks[section.dataset.task];
  const box = section.querySelector(".probes");
  const { chosen, watchers } = selections[task.index];

  function draw() {
    const probes = task.probes ?? [];
    section.hidden = probes.length === 0;
    const link = document.querySelector("[data-part=diagnosis]");
    if (link) link.hidden = view.tasks.every((other) => !other.probes?.length);
    if (section.hidden || !box.clientWidth) return;
    while (box.children.length < probes.length) box.append(element("figure", {}, element("h3"), element("div", { class: "chart small" }), element("figcaption")));
    probes.forEach((probe, i) => {
      const [title, chart, caption] = box.children[i].children;
      title.textContent = word(probe, "title");
      caption.textContent = word(probe, "caption") ?? "";
      const series = probe.series.filter((line) => !chosen.size || chosen.has(line.contender));
      const values = series.flatMap((line) => [...line.mid, ...(line.low ?? []), ...(line.high ?? [])]).filter((value) => value !== null && (!probe.log || value > 0));
      const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
      const pad = 0.05 * (high - low) || 0.5 * Math.abs(high) || 1;
      const y = probe.log ? { low: low / 1.2, least: low / 1.2, high: high * 1.2 } : { low: low - pad, high: high + pad };
      const lines = series.map((line) => {
        const contender = view.contenders[line.contender];
        const look = { colour: colourOf(contender), dash: view.palette.dashes[contender.dash], width: 1.8 };
        return { label: contender.label, key: line.contender, x: line.steps, mid: line.mid, low: line.low, high: line.high, n: line.n, ...look, detail: [] };
      });
      const unit = word(probe, "unit") ?? "";
      lineChart(chart, lines, { title: both("step", "步"), log: false }, { ...y, log: Boolean(probe.log), worse: "high", unit: "", title: unit, band: both("least and greatest", "最小与最大") }, (line) => isolate(task, line.key));
    });
  }

  watchers.set(section, draw);
  whenSized(section, draw);
}
