// The numbers of all trials as a table: what the figures show, for those who read it or copy it.
const energygateTrials = (() => {
  "use strict";
  const isKnown = (value) => value !== null && value !== undefined;
  const number = (value) => (isKnown(value) ? String(value) : "\u2013");

  // A count that is the same in all trials stands there once.
  const ofAll = (counts, index) => (counts?.length === 1 ? counts[0] : counts?.[index]);

  function columnsOf(found, sides) {
    const names = (key) => [...new Set(sides.flatMap(([, trials]) => Object.keys(trials[key] ?? {})))];
    const label = found.label ? ` (${found.label})` : "";
    return [
      ["side", (side) => side],
      ["trial", (_, __, index) => String(index + 1)],
      ...(sides.some(([, trials]) => trials.blocks) ? [["block", (_, trials, index) => number(trials.blocks?.[index])]] : []),
      [`${found.unit}${label}`, (_, trials, index) => number(trials.values[index])],
      ["started, s", (_, trials, index) => number(trials.started_s[index])],
      ["took, s", (_, trials, index) => number(trials.duration_s[index])],
      ...names("energy_j").map((name) => [`${name}, J${label}`, (_, trials, index) => number(trials.energy_j[name]?.[index])]),
      ...names("work").map((name) => [name, (_, trials, index) => number(ofAll(trials.work?.[name], index))]),
      ...names("temperature_c").map((name) => [`${name}, \u00b0C`, (_, trials, index) => number(trials.temperature_c?.[name]?.[index])]),
      ...(sides.some(([, trials]) => trials.throttled) ? [["throttled", (_, trials, index) => trials.throttled?.[index] ?? ""]] : []),
      ...(sides.some(([, trials]) => trials.invalid) ? [["does not count", (_, trials, index) => trials.invalid?.[index] ?? ""]] : []),
    ];
  }

  function cell(kind, text) {
    const made = document.createElement(kind);
    made.textContent = text;
    if (kind === "th") made.scope = "col";
    if (/^[\d.e+-]+$/.test(text)) made.className = "number";
    return made;
  }

  function tableOf(found, sides) {
    const columns = columnsOf(found, sides);
    const table = document.createElement("table");
    table.className = "plain-table";
    const head = table.createTHead().insertRow();
    head.append(...columns.map(([name]) => cell("th", name)));
    const body = table.createTBody();
    for (const [side, trials] of sides) {
      trials.values.forEach((_, index) => {
        const row = body.insertRow();
        row.append(...columns.map(([, of]) => cell("td", of(side, trials, index))));
        if (trials.invalid && index in trials.invalid) row.className = "invalid";
      });
    }
    return table;
  }

  function offer(place, found) {
    const sides = [["base", found.base], ["head", found.head]].filter(([, trials]) => trials && trials.values.length);
    if (!sides.length) return;
    const count = sides.reduce((sum, [, trials]) => sum + trials.values.length, 0);
    const details = document.createElement("details");
    details.className = "numbers";
    const summary = document.createElement("summary");
    summary.textContent = `The numbers of all ${count} trials`;
    const region = document.createElement("div");
    region.className = "scroll";
    region.tabIndex = 0;
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", summary.textContent);
    details.append(summary, region);
    details.addEventListener("toggle", () => {
      if (details.open && !region.firstChild) region.append(tableOf(found, sides));
    });
    place.after(details);
  }

  return { offer };
})();
