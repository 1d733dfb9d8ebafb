// The page: sorting, filtering, opening, the theme, printing.
(() => {
  "use strict";
  const root = document.documentElement;
  const table = document.querySelector("table.benchmarks");
  const groups = [...table.tBodies];
  const opened = new Set(); // the places of figures that were asked for
  const drawn = new Map(); // place of the figures -> what they show
  let known = null;
  let library = null;

  async function unpacked(id) {
    const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (char) => char.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  async function figuresOf(index) {
    known ??= unpacked("figures").then(JSON.parse);
    return energygateFigures.scaled((await known)[index]);
  }

  function plotly() {
    library ??= (async () => {
      const script = document.createElement("script");
      script.textContent = await unpacked("library");
      document.head.append(script); // runs at once, and only if its hash is the one that the policy names
      return window.Plotly;
    })();
    return library;
  }

  // ---- sections

  async function draw(place) {
    if (!place || opened.has(place)) return;
    opened.add(place);
    place.classList.add("waiting");
    try {
      const found = await figuresOf(Number(place.dataset.index));
      drawn.set(place, found);
      energygateTrials.offer(place, found);
      const steps = energygateFigures.draw(place, found, await plotly());
      while (!steps.next().done) await new Promise(requestAnimationFrame);
    } catch (error) {
      place.textContent = `This browser cannot draw the figures (${error.message}). The numbers can be read without them.`;
    }
    place.classList.remove("waiting");
  }

  function setOpen(group, open) {
    group.classList.toggle("open", open);
    group.querySelector("button.opens").setAttribute("aria-expanded", String(open));
    if (open) draw(group.querySelector(".figures"));
  }

  for (const group of groups) {
    const label = group.querySelector(".label");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "opens";
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-controls", group.querySelector(".more").id);
    button.append(...label.childNodes);
    label.append(button);
  }

  table.addEventListener("click", (event) => {
    const line = event.target.closest("tr.line");
    const chosen = window.getSelection();
    if (!line || (chosen && chosen.type === "Range" && !event.target.closest("button"))) return;
    const group = line.closest("tbody");
    const open = !group.classList.contains("open");
    setOpen(group, open);
    if (open) history.replaceState(null, "", `#${group.id}`);
  });

  function openNamed() {
    const group = groups.find((each) => `#${each.id}` === location.hash);
    if (group) {
      setOpen(group, true);
      group.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", openNamed);

  // ---- sorting

  const headers = [...table.querySelectorAll("th[data-key]")];

  function compare(key, sign) {
    return (a, b) => {
      const [left, right] = [a.dataset[key], b.dataset[key]];
      if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined);
      const order = key === "name" ? left.localeCompare(right, "en", { numeric: true }) : Number(left) - Number(right);
      return sign * order;
    };
  }

  function sortBy(header) {
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    for (const each of headers) each.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    table.append(...groups.sort(compare(header.dataset.key, ascending ? 1 : -1)));
  }

  for (const header of headers) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sorts";
    button.append(...header.querySelector(".plain").childNodes);
    header.replaceChildren(button);
    button.addEventListener("click", () => sortBy(header));
  }

  // ---- filtering

  const filter = document.getElementById("filter");
  const outcome = document.getElementById("outcome");
  const shown = document.getElementById("shown");
  const searched = new Map(
    groups.map((group) => [
      group,
      [group.dataset.name, ...[...group.querySelectorAll(".why")].map((why) => why.textContent)].join("\n").toLowerCase(),
    ]),
  );

  function applyFilter() {
    const wanted = filter.value.trim().toLowerCase();
    const only = outcome ? outcome.value : "";
    let count = 0;
    for (const group of groups) {
      const outcomes = (group.dataset.outcomes || "").split(" ");
      const fits = searched.get(group).includes(wanted) && (!only || outcomes.includes(only));
      group.hidden = !fits;
      count += Number(fits);
    }
    const all = `${groups.length} benchmark${groups.length === 1 ? "" : "s"}`;
    shown.textContent = count === groups.length ? all : `${count} of ${all}`;
  }
  filter.addEventListener("input", applyFilter);
  if (outcome) outcome.addEventListener("change", applyFilter);
  document.querySelector(".toolbar").hidden = groups.length < 2;

  // ---- theme and paper

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);

  function repaint() {
    button.textContent = isDark() ? "Light theme" : "Dark theme";
    if (!window.Plotly) return;
    for (const [place, found] of drawn) {
      const steps = energygateFigures.draw(place, found, window.Plotly); // all at once: paper does not wait
      while (!steps.next().done);
    }
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("energygate-theme", root.dataset.theme);
    } catch {
      // Then the choice holds for this page alone.
    }
    repaint();
  });
  dark.addEventListener("change", repaint);

  let before = null;
  window.addEventListener("beforeprint", () => {
    before = root.dataset.theme ?? "";
    root.dataset.theme = "light";
    root.classList.add("paper");
    repaint();
  });
  window.addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before;
    else delete root.dataset.theme;
    root.classList.remove("paper");
    repaint();
  });

  repaint();
  openNamed();
})();
