"use strict";
// What is known of a cell, in words: a card for each map; and of what is in view where no cell is chosen.
(() => {
  const { at, element, signed, tile, bar } = phosphene;
  const AROUND = 12; // classes named where no cell is chosen
  const BRIEF = 2; // classes named on the map itself

  const placeName = ({ row, column }) => "Row " + row + ", column " + column;

  // shown: { cell, grids, page, klass }, one grid for each map; choose(class) where a class's name is pressed.
  function show(shown, choose) {
    const { cell } = shown;
    at("place").textContent = cell ? placeName(cell) + " of " + cell.size + " × " + cell.size : "No cell chosen";
    at("around").hidden = Boolean(cell);
    refill(at("cards"), cell ? shown.page.maps.map((_, i) => card(shown, i, choose)) : []);
  }

  // The keyboard keeps its place among the buttons.
  function refill(place, made) {
    const held = [...place.querySelectorAll("button")].indexOf(document.activeElement);
    place.replaceChildren(...made);
    if (held >= 0) place.querySelectorAll("button")[held]?.focus({ preventScroll: true });
  }

  function card({ cell, grids, page, klass }, index, choose) {
    const map = page.maps[index], grid = grids[index], made = element("article", { class: "card" });
    const i = grid && grid.size === cell.size ? phosphene.grids.numberAt(grid, cell.row, cell.column) : undefined;
    const title = element("h3", {}, made, map.layer + " ");
    element("span", { class: "soft" }, title, "of " + map.network);
    if (i === undefined) {
      element("p", { class: "note" }, made, grid ? "Too few activations lie here for a picture." : "On its way …");
      return made;
    }
    made.append(picture(grid, i, map));
    const facts = element("div", { class: "facts" }, made), n = grid.count[i];
    const share = phosphene.percent(n / map.n_activations) + " of all";
    element("p", {}, facts, n.toLocaleString("en") + (n === 1 ? " activation, " : " activations, ") + share);
    if (grid.status[i] !== "ok") element("p", { class: "note" }, facts, "No picture: " + grid.status[i] + ".");
    const isSigned = grids.some((other) => other && other.hasMinus);
    facts.append(speaks(grid, i, { page, klass, choose, isSigned }));
    if (grid.examples[i].length) made.append(nearest(grid.examples[i]));
    return made;
  }

  function picture(grid, i, map) {
    const found = phosphene.grids.placeOf(grid, i);
    const label = "What the mean activation at " + map.layer + " looks for here";
    const sheet = found && { file: found.file, columns: grid.block, rows: grid.block, size: [grid.tile, grid.tile] };
    return tile(sheet, found && found.index, found ? label : "no picture", "large");
  }

  // The classes of a cell, with bars of which the longest is the cell's largest; with a sign they start in the middle.
  function speaks(grid, i, { page, klass, choose, isSigned }) {
    const list = element("ol", { class: "says", "aria-label": "Classes that the mean activation speaks for" });
    const most = phosphene.largest(grid.classes[i].map(([, value]) => value));
    for (const [name, value] of grid.classes[i]) {
      const item = element("li", {}, list);
      item.append(button(page, name, klass, choose));
      element("span", { class: "value" }, item, signed(value));
      item.append(bar(value, most, { isSigned }));
    }
    return list;
  }

  function button(page, name, klass, choose) {
    const made = element("button", { type: "button", class: "name", "aria-pressed": String(name === klass),
      title: "Show where the activations speak for it" }, null, page.classes[name]);
    made.addEventListener("click", () => choose(name === klass ? null : name));
    return made;
  }

  function nearest(names) {
    const made = element("div", { class: "nearest" });
    element("p", { class: "note" }, made, names.length === 1 ? "Nearest photograph" : "Nearest photographs");
    const list = element("ul", {}, made);
    names.forEach((name) => element("li", { class: "source", title: name }, list, name));
    return made;
  }

  // Classes that cells in view speak for most, by how many do.
  function around(shown, choose) {
    const counts = new Map();
    for (const grid of shown.grids) if (grid) countIn(grid, shown.view, counts);
    const found = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, AROUND);
    const known = found.map(String).join(" ") + "|" + shown.klass, list = at("around-classes");
    at("around").hidden = Boolean(shown.cell) || !found.length;
    if (list.dataset.known === known) return;
    list.dataset.known = known;
    refill(list, found.map(([name, n]) => {
      const item = element("li", {});
      item.append(button(shown.page, name, shown.klass, choose));
      element("span", { class: "value" }, item, n === 1 ? "1 cell" : n + " cells");
      return item;
    }));
  }

  function countIn(grid, view, counts) {
    grid.classes.forEach((said, i) => {
      const box = phosphene.view.boxOf(view, grid.size, [grid.row[i], grid.column[i]]);
      if (!said.length || !phosphene.view.isSeen(box)) return;
      counts.set(said[0][0], (counts.get(said[0][0]) || 0) + 1);
    });
  }

  // One line for the map itself and for those who listen.
  function brief(grid, cell, { page, klass }) {
    const i = grid && phosphene.grids.numberAt(grid, cell.row, cell.column);
    if (i === undefined || i === null) return "too few activations";
    const said = grid.classes[i], own = said.find(([name]) => name === klass);
    const named = own ? [own, ...said.filter((one) => one !== own).slice(0, BRIEF - 1)] : said.slice(0, BRIEF);
    const classes = named.map(([name, value]) => page.classes[name] + " " + signed(value));
    return [grid.count[i].toLocaleString("en") + " here", ...classes].join(" · ");
  }

  phosphene.panel = { show, around, brief, placeName };
})();
