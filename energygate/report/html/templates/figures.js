// The figures of one benchmark, drawn by plotly.js from compact data (report/html/drawing.py says what it holds).
const energygateFigures = (() => {
  "use strict";

  // plotly.js reads some tags in texts: a foreign text has none.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const three = (value) => (value === 0 ? "0" : Number(value.toPrecision(3)).toString());
  const isKnown = (value) => value !== null && value !== undefined;
  const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

  function median(values) {
    const ordered = [...values].sort((a, b) => a - b);
    const middle = ordered.length >> 1;
    return ordered.length % 2 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2;
  }

  const isValid = (trials, index) => !(trials.invalid && index in trials.invalid);
  const validValues = (trials) =>
    trials.values.filter((value, index) => isKnown(value) && isValid(trials, index));

  const sidesOf = (found) =>
    [["base", found.base], ["head", found.head]].filter(([, trials]) => trials && trials.values.length);

  const unitOf = (found) => plain(found.unit) + (found.label ? ` (${plain(found.label)})` : "");

  // ---- colours: those of the page, as they are now

  function paletteOf(place) {
    const probe = document.createElement("span");
    place.append(probe);
    const found = {};
    for (const name of ["text", "muted", "line", "panel", "bg", "base", "head", "bad", "warn", "good", "allowed", "d1", "d2", "d3", "d4", "d5", "d6"]) {
      probe.style.color = `var(--${name})`;
      found[name] = getComputedStyle(probe).color;
    }
    probe.remove();
    return found;
  }

  function layoutOf(colors, more) {
    const axis = {
      gridcolor: colors.line, linecolor: colors.line, zeroline: false, automargin: true, tickfont: { color: colors.muted },
      title: { font: { color: colors.muted, size: 12 }, standoff: 8 }, fixedrange: window.innerWidth < 700,
    };
    const axes = {};
    for (const [name, own] of Object.entries(more).filter(([name]) => /^[xy]axis/.test(name))) {
      axes[name] = { ...axis, ...own, title: { ...axis.title, ...(own.title ?? {}) } };
    }
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true, height: 300,
      margin: { l: 8, r: 14, t: 8, b: 8 }, font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colors.text },
      hoverlabel: { bgcolor: colors.panel, bordercolor: colors.line, font: { color: colors.text }, align: "left" },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { color: colors.muted } },
      showlegend: true, hovermode: "closest", dragmode: window.innerWidth < 700 ? false : "zoom",
      ...more, ...axes,
    };
  }

  // ---- every trial in its order, with temperature and throttling below

  function trialText(found, side, trials, index) {
    const lines = [`<b>${side}, trial ${index + 1}</b>`];
    if (trials.blocks && isKnown(trials.blocks[index])) lines.push(`block ${trials.blocks[index]}`);
    if (isKnown(trials.values[index])) lines.push(`${three(trials.values[index])} ${unitOf(found)}`);
    lines.push(`${three(trials.duration_s[index])} s`);
    for (const [domain, degrees] of Object.entries(trials.temperature_c ?? {})) {
      if (isKnown(degrees[index])) lines.push(`${plain(domain)} ${three(degrees[index])} \u00b0C`);
    }
    if (trials.throttled && index in trials.throttled) lines.push(`throttled: ${plain(trials.throttled[index])}`);
    if (!isValid(trials, index)) lines.push(`does not count: ${plain(trials.invalid[index])}`);
    return lines.join("<br>");
  }

  function points(found, side, trials, colors, scale, wanted, look) {
    const at = trials.values.map((_, index) => index).filter((index) => isKnown(trials.values[index]) && wanted(index));
    return {
      type: "scatter", mode: "markers", cliponaxis: false,
      x: at.map((index) => trials.started_s[index] / scale), y: at.map((index) => trials.values[index]),
      hovertemplate: at.map((index) => `${trialText(found, side, trials, index)}<extra></extra>`), ...look,
    };
  }

  function temperatures(found, colors, scale) {
    const names = [...new Set(sidesOf(found).flatMap(([, trials]) => Object.keys(trials.temperature_c ?? {})))];
    return names.map((name, place) => {
      const seen = sidesOf(found).flatMap(([, trials]) =>
        (trials.temperature_c?.[name] ?? []).map((degrees, index) => [trials.started_s[index] / scale, degrees]));
      const ordered = seen.filter(([, degrees]) => isKnown(degrees)).sort((a, b) => a[0] - b[0]);
      return {
        type: "scatter", mode: "lines", yaxis: "y2", name: `${plain(name)} \u00b0C`, x: ordered.map(([x]) => x), y: ordered.map(([, y]) => y),
        line: { color: colors[`d${(place % 6) + 1}`], width: 1.5, shape: "spline", smoothing: 0.4 },
        hovertemplate: "%{y:.0f} \u00b0C<extra></extra>",
      };
    });
  }

  function pairs(found, colors, scale) {
    if (!found.base?.blocks || !found.head?.blocks) return [];
    const at = (trials, block) => trials.blocks.findIndex((each, index) => each === block && isValid(trials, index) && isKnown(trials.values[index]));
    const places = [...new Set(found.base.blocks)].filter(isKnown).map((block) => [at(found.base, block), at(found.head, block)]);
    const ends = places.filter(([base, head]) => base >= 0 && head >= 0);
    const line = (of) => ends.flatMap(([base, head]) => [of(found.base, base), of(found.head, head), null]);
    return [{
      type: "scatter", mode: "lines", name: "one block", hoverinfo: "skip", line: { color: colors.line, width: 1.5 },
      x: line((trials, index) => trials.started_s[index] / scale), y: line((trials, index) => trials.values[index]),
    }];
  }

  function order(found, colors) {
    const sides = sidesOf(found);
    if (!sides.length) return null;
    const last = Math.max(...sides.flatMap(([, trials]) => trials.started_s));
    const [scale, unit] = last > 300 ? [60, "minutes"] : [1, "seconds"];
    const traces = sides.map(([side, trials]) => points(found, side, trials, colors, scale, (index) => isValid(trials, index), {
      name: side, marker: { color: colors[side], size: 8, opacity: 0.9, symbol: side === "base" ? "circle-open" : "circle", line: { width: 2, color: colors[side] } },
    }));
    const invalid = sides.filter(([, trials]) => Object.keys(trials.invalid ?? {}).length);
    invalid.forEach(([side, trials], place) => traces.push(points(found, side, trials, colors, scale, (index) => !isValid(trials, index), {
      name: "does not count", legendgroup: "invalid", showlegend: place === 0,
      marker: { color: colors.bad, size: 9, symbol: "x-thin", line: { width: 2, color: colors.bad } },
    })));
    const throttled = sides.filter(([, trials]) => Object.keys(trials.throttled ?? {}).length);
    throttled.forEach(([side, trials], place) => traces.push(points(found, side, trials, colors, scale, (index) => index in trials.throttled, {
      name: "throttled", legendgroup: "throttled", showlegend: place === 0,
      marker: { color: colors.warn, size: 15, symbol: "circle-open", line: { width: 1.5, color: colors.warn } },
    })));
    const heat = temperatures(found, colors, scale);
    const levels = sides.length > 1 || !isKnown(found.base_value)
      ? sides.map(([side, trials]) => [side, validValues(trials)]).filter(([, values]) => values.length).map(([side, values]) => [side, median(values)])
      : [["base", found.base_value], ...sides.map(([side, trials]) => [side, validValues(trials)]).filter(([, values]) => values.length).map(([side, values]) => [side, median(values)])];
    const shapes = levels.map(([side, value]) => ({
      type: "line", xref: "paper", x0: 0, x1: 1, y0: value, y1: value, line: { color: colors[side], width: 1, dash: "dot" }, layer: "below",
    }));
    const axes = heat.length
      ? { yaxis: { domain: [0.36, 1], title: { text: unitOf(found) } }, yaxis2: { domain: [0, 0.24], title: { text: "\u00b0C" }, anchor: "x", nticks: 3 } }
      : { yaxis: { title: { text: unitOf(found) } } };
    const counts = sides.map(([side, trials]) => `${validValues(trials).length} of ${plural(trials.values.length, "trial")} of ${side} count`);
    const hidden = sides.reduce((sum, [, trials]) => sum + trials.values.filter((value) => !isKnown(value)).length, 0);
    return {
      key: "order", wide: true, title: "Every trial in its order",
      words: `${counts.join(", ")}. Dotted: typical values.${hidden ? ` ${plural(hidden, "trial")} without a value ${hidden === 1 ? "is" : "are"} not drawn.` : ""}`,
      traces: [...pairs(found, colors, scale), ...traces, ...heat],
      layout: layoutOf(colors, { ...axes, xaxis: { title: { text: `${unit} since the run began` }, anchor: heat.length ? "y2" : "y" }, shapes, height: heat.length ? 380 : 300 }),
    };
  }

  // ---- distributions

  function spread(found, name, values, color, colors) {
    return {
      type: "violin", orientation: "h", x: values, y: values.map(() => name), name, spanmode: "soft",
      points: "all", jitter: 0.5, pointpos: 0, scalemode: "width", width: 0.85, showlegend: false, hoveron: "points",
      box: { visible: values.length >= 5, width: 0.12, fillcolor: colors.bg, line: { color, width: 1 } },
      marker: { color, size: 5, opacity: 0.7 }, line: { color: values.length >= 5 ? color : "rgba(0,0,0,0)", width: 1 },
      fillcolor: values.length >= 5 ? color.replace("rgb(", "rgba(").replace(")", ", 0.16)") : "rgba(0,0,0,0)",
      hovertemplate: `%{x:.4g} ${unitOf(found)}<extra></extra>`,
    };
  }

  function distribution(found, colors) {
    const counting = found.sessions?.filter((session) => session.values?.length && !session.is_shifted) ?? [];
    const base = found.base ? validValues(found.base) : counting.flatMap((session) => session.values);
    const head = found.head ? validValues(found.head) : [];
    if (!base.length && !head.length) return null;
    const rows = [["base", base], ["head", head]].filter(([, values]) => values.length);
    const words = rows.map(([side, values]) => {
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const of = side === "base" && !found.base ? ` of ${plural(counting.length, "session")}` : "";
      return `${side}: ${plural(values.length, "trial")}${of}, median ${three(median(values))}, ${three(low)} \u2026 ${three(high)} ${found.unit}`;
    });
    return {
      key: "distribution", title: "Distributions of base and head", words: `${words.join("; ")}.`,
      traces: [...rows].reverse().map(([side, values]) => spread(found, side, values, colors[side], colors)),
      layout: layoutOf(colors, { xaxis: { title: { text: unitOf(found) } }, yaxis: { showgrid: false }, showlegend: false, height: 260 }),
    };
  }

  // ---- ratios against the budget

  function ratios(found, colors) {
    const parts = (found.parts ?? []).filter((part) => isKnown(part.ratio));
    if (!parts.length) return null;
    const ends = (part) => isKnown(part.low) && isKnown(part.high);
    const change = (ratio) => (ratio - 1) * 100;
    const names = parts.map((part, index) => `${"\u200b".repeat(index)}${plain(part.name)}`); // two may be called alike
    const group = (wanted, look) => {
      const at = parts.map((_, index) => index).filter((index) => wanted(parts[index]));
      return {
        type: "scatter", mode: "markers", cliponaxis: false, showlegend: false,
        x: at.map((index) => change(parts[index].ratio)), y: at.map((index) => names[index]),
        error_x: { type: "data", symmetric: false, thickness: 2.5, width: 0, color: colors.head,
          array: at.map((index) => (ends(parts[index]) ? change(parts[index].high) - change(parts[index].ratio) : 0)),
          arrayminus: at.map((index) => (ends(parts[index]) ? change(parts[index].ratio) - change(parts[index].low) : 0)) },
        hovertemplate: at.map((index) => {
          return `${plain(parts[index].name)}: ${parts[index].said}<extra></extra>`;
        }), ...look,
      };
    };
    const budget = found.budget * 100;
    const all = [0, budget, ...parts.flatMap((part) => [part.ratio, part.low, part.high].filter(isKnown).map(change))];
    const pad = 0.08 * (Math.max(...all) - Math.min(...all));
    const vertical = (x, look) => ({ type: "line", yref: "paper", y0: 0, y1: 1, x0: x, x1: x, line: look });
    return {
      key: "ratios", title: "Change against the budget",
      words: `Shaded: within the budget of ${three(budget)} %. Open circles have no interval and decide nothing.`,
      heard: `${parts.map((part) => `${part.name.trim()} ${part.said}`).join("; ")}.`,
      traces: [
        group(ends, { marker: { color: colors.head, size: 10 } }),
        group((part) => !ends(part), { marker: { color: colors.head, size: 8, symbol: "circle-open", line: { width: 1.5 } } }),
      ],
      layout: layoutOf(colors, {
        xaxis: { ticksuffix: " %", range: [Math.min(...all) - pad, Math.max(...all) + (window.innerWidth < 700 ? 8 : 3.2) * pad] },
        yaxis: { categoryorder: "array", categoryarray: [...names].reverse(), type: "category", showgrid: false },
        shapes: [
          { type: "rect", yref: "paper", y0: 0, y1: 1, x0: 0, x1: budget, fillcolor: colors.allowed, line: { width: 0 }, layer: "below" },
          vertical(0, { color: colors.muted, width: 1 }), vertical(budget, { color: colors.muted, width: 1, dash: "dash" }),
        ],
        annotations: parts.map((part, index) => ({ xref: "paper", x: 1, xanchor: "right", y: names[index], text: part.said.replace(/ %.*/, " %"), showarrow: false, font: { size: 11.5, color: ends(part) ? colors.text : colors.muted } })),
        showlegend: false, height: Math.max(150, 70 + 30 * parts.length),
      }),
    };
  }

  // ---- energy by domain

  function shares(trials) {
    const at = trials.values.map((_, index) => index).filter((index) => isKnown(trials.values[index]) && isValid(trials, index));
    const domains = Object.keys(trials.energy_j);
    const total = (index) => domains.reduce((sum, domain) => sum + (trials.energy_j[domain][index] ?? 0), 0);
    return domains.map((domain) => {
      const own = at.filter((index) => isKnown(trials.energy_j[domain][index]) && total(index) > 0)
        .map((index) => (trials.energy_j[domain][index] / total(index)) * trials.values[index]);
      return [domain, own.length ? own.reduce((sum, value) => sum + value, 0) / own.length : null];
    });
  }

  function domains(found, colors) {
    const sides = sidesOf(found).map(([side, trials]) => [side, new Map(shares(trials))]);
    const names = [...new Set(sides.flatMap(([, parts]) => [...parts.keys()]))];
    if (names.length < 2) return null;
    const words = sides.map(([side, parts]) => `${side}: ${[...parts].filter(([, value]) => isKnown(value)).map(([name, value]) => `${name} ${three(value)}`).join(", ")} ${found.unit}`);
    return {
      key: "domains", title: "Energy by domain", words: `Means of the trials that count. ${words.join("; ")}.`,
      traces: names.map((name, place) => ({
        type: "bar", orientation: "h", name: plain(name), x: sides.map(([, parts]) => parts.get(name) ?? null), y: sides.map(([side]) => side),
        marker: { color: colors[`d${(place % 6) + 1}`] }, width: 0.55, hovertemplate: `${plain(name)}: %{x:.3g} ${unitOf(found)}<extra></extra>`,
      })),
      layout: layoutOf(colors, { barmode: "stack", xaxis: { title: { text: unitOf(found) } }, yaxis: { categoryorder: "array", categoryarray: ["head", "base"], showgrid: false }, height: 210, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal", font: { color: colors.muted } } }),
    };
  }

  // ---- history

  function sessionText(found, session) {
    const lines = [`<b>${plain(session.at || "a stored session")}</b>${session.commit ? ` ${plain(session.commit)}` : ""}`, `${three(session.value)} ${unitOf(found)}`];
    if (session.values?.length) lines.push(`compared with: ${plural(session.values.length, "trial")}`);
    if (session.is_shifted) lines.push("left out: the machine differs, not the code");
    if (session.change) lines.push(`${plain(session.change)} since here`);
    for (const sentence of session.accepted ?? []) lines.push(`accepted ${plain(sentence)}`);
    return `${lines.join("<br>")}<extra></extra>`;
  }

  function levelsOf(sessions) {
    const starts = [0, ...sessions.map((_, index) => index).filter((index) => index > 0 && sessions[index].change && sessions[index].is_certain), sessions.length];
    return starts.slice(1).map((end, place) => {
      const values = sessions.slice(starts[place], end).filter((session) => !session.is_shifted).map((session) => session.value);
      return { from: starts[place], to: end - 1, mean: values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null };
    }).filter((level) => isKnown(level.mean));
  }

  function past(found, colors) {
    const sessions = found.sessions ?? [];
    if (!sessions.length) return null;
    const places = sessions.map((_, index) => index);
    const normal = places.filter((index) => !sessions[index].is_shifted);
    const shifted = places.filter((index) => sessions[index].is_shifted);
    const trace = (at, name, marker, more) => ({
      type: "scatter", mode: "markers", name, x: at, y: at.map((index) => sessions[index].value), marker, cliponaxis: false,
      hovertemplate: at.map((index) => sessionText(found, sessions[index])), ...more,
    });
    const traces = [];
    const trials = normal.flatMap((index) => (sessions[index].values ?? []).map((value) => [index, value]));
    if (trials.length) traces.push({ type: "scatter", mode: "markers", name: "their trials", x: trials.map(([x]) => x), y: trials.map(([, y]) => y), marker: { color: colors.base, size: 4, opacity: 0.4 }, hoverinfo: "skip" });
    traces.push(trace(normal, "stored sessions", { color: colors.base, size: 8 }, { mode: "lines+markers", line: { color: colors.base, width: 1 } }));
    if (shifted.length) traces.push(trace(shifted, "machine had changed", { color: colors.muted, size: 8, symbol: "circle-open" }));
    const accepted = places.filter((index) => sessions[index].accepted?.length);
    if (accepted.length) traces.push(trace(accepted, "accepted", { color: colors.good, size: 15, symbol: "diamond-open", line: { width: 2, color: colors.good } }));
    if (isKnown(found.head_value)) {
      traces.push({ type: "scatter", mode: "markers", name: "this run", x: [sessions.length], y: [found.head_value], marker: { color: colors.head, size: 11 }, cliponaxis: false, hovertemplate: `<b>this run</b><br>${three(found.head_value)} ${unitOf(found)}<extra></extra>` });
    }
    const changes = places.filter((index) => sessions[index].change);
    const count = sessions.length + Number(isKnown(found.head_value));
    const step = Math.ceil(count / (window.innerWidth < 700 ? 3 : 5));
    const ticks = places.filter((index) => index % step === 0 && sessions[index].at && (!isKnown(found.head_value) || sessions.length - index >= step * 0.7));
    const first = sessions[0], last = sessions[sessions.length - 1];
    const between = first.at ? `, from ${first.at} to ${last.at}` : "";
    const moves = changes.map((index) => `${sessions[index].at} ${sessions[index].change}`);
    return {
      key: "history", title: "History",
      words: `${plural(sessions.length, "stored session")}${between}: ${three(first.value)} \u2192 ${three(last.value)} ${found.unit}. ${moves.length ? `Changes of level: ${moves.join("; ")}.` : "No change of level."}`,
      traces,
      layout: layoutOf(colors, {
        xaxis: { tickvals: [...ticks, ...(isKnown(found.head_value) ? [sessions.length] : [])], tickangle: 0, ticktext: [...ticks.map((index) => plain(sessions[index].at)), ...(isKnown(found.head_value) ? ["this run"] : [])], showgrid: false, range: [-0.5, count - 0.5] },
        yaxis: { title: { text: unitOf(found) } },
        shapes: [
          ...levelsOf(sessions).map((level) => ({ type: "line", x0: level.from - 0.4, x1: level.to + 0.4, y0: level.mean, y1: level.mean, line: { color: colors.muted, width: 1, dash: "dot" }, layer: "below" })),
          ...changes.map((index) => ({ type: "line", yref: "paper", y0: 0, y1: 1, x0: index - 0.5, x1: index - 0.5, line: { color: sessions[index].is_certain ? colors.warn : colors.muted, width: 1, dash: "dash" } })),
        ],
        annotations: changes.map((index) => ({ x: index - 0.5, xanchor: "left", yref: "paper", y: 1, yanchor: "top", text: plain(sessions[index].change), showarrow: false, font: { size: 11, color: sessions[index].is_certain ? colors.warn : colors.muted } })),
        height: 300,
      }),
    };
  }

  // ---- drawing

  // The values in the unit in which they are shown: `factor` of it are one of the metric's own.
  function scaled(found) {
    const { factor = 1 } = found;
    if (factor === 1) return found;
    const times = (value) => (isKnown(value) ? Number((value * factor).toPrecision(6)) : value);
    const side = (trials) => trials && { ...trials, values: trials.values.map(times) };
    const sessions = found.sessions?.map((each) => ({ ...each, value: times(each.value), values: each.values?.map(times) }));
    return { ...found, factor: 1, base: side(found.base), head: side(found.head), head_value: times(found.head_value), base_value: times(found.base_value), sessions };
  }

  const KINDS = [order, ratios, distribution, domains, past];

  function frameOf(place, figure) {
    const known = place.querySelector(`[data-figure="${figure.key}"]`);
    if (known) return known.querySelector(".plot");
    const frame = document.createElement("figure");
    frame.dataset.figure = figure.key;
    frame.classList.toggle("wide", Boolean(figure.wide));
    const title = document.createElement("h4");
    title.textContent = figure.title;
    const plot = document.createElement("div");
    plot.className = "plot";
    plot.style.minHeight = `${figure.layout.height}px`;
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", `${figure.title}. ${figure.heard ?? ""} ${figure.words}`);
    const words = document.createElement("figcaption");
    words.textContent = figure.words;
    frame.append(title, plot, words);
    place.append(frame);
    return plot;
  }

  // Draws one figure at each step, so that the first is seen before the last is there.
  function* draw(place, found, plotly) {
    const colors = paletteOf(place);
    const figures = KINDS.map((kind) => kind(found, colors)).filter(Boolean);
    const plots = figures.map((figure) => frameOf(place, figure)); // all, so that each has its place before it is drawn
    for (const [index, { traces, layout }] of figures.entries()) {
      plotly.react(plots[index], traces, layout, { displayModeBar: false, responsive: true, showTips: false, doubleClick: "reset" });
      yield;
    }
  }

  return { draw, scaled };
})();
