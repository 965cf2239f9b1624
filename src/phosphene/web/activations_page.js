"use strict";
// From the address to what is shown, and back. Both maps have one view, one grid and one cursor.
(() => {
  const { at, element, view: geometry } = phosphene;
  const SETTLE_MS = 250; // browsers refuse an address that changes more often
  let page = null, sizes = [], maps = [], state = null, pointed = null, asked = null, awaited = 0, later = 0;

  async function start() {
    page = await phosphene.load("activations", "data/activations.js");
    sizes = phosphene.gridSizes(page);
    phosphene.state.usePage(page);
    at("explore").hidden = false;
    maps = page.maps.map((map) => phosphene.map.build(map, at("maps"), repaint));
    at("maps").classList.toggle("two", maps.length > 1);
    maps.forEach((map) => phosphene.gestures.listen(map.surface, heard));
    if (page.home) at("home").href = page.home;
    at("home-part").hidden = !page.home;
    phosphene.controls.build(page, sizes, { go, chooseClass, ...heard });
    phosphene.about.build(page, at("abouts"));
    addEventListener("popstate", arrive);
    addEventListener("hashchange", arrive);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    apply();
  }

  // A step back fires both events; once is enough.
  function arrive() {
    if (location.hash !== asked) apply();
  }

  function apply() {
    clearTimeout(later);
    asked = location.hash;
    state = phosphene.state.parse(asked);
    pointed = null;
    at("missing").hidden = !state.missing.length;
    at("missing").textContent = "There is no " + state.missing.join(", no ") + " here.";
    if (state.missing.length) remember();
    show();
  }

  // The back button comes back to what was shown before.
  function go(changes) {
    clearTimeout(later);
    Object.assign(state, changes);
    at("missing").hidden = true;
    phosphene.grids.again();
    const hash = phosphene.state.format(state);
    if (hash !== location.hash) history.pushState(null, "", hash);
    else remember();
    asked = location.hash;
    show();
  }

  function remember() {
    clearTimeout(later);
    history.replaceState(null, "", phosphene.state.format(state));
    asked = location.hash;
  }

  // Moving the map or its cursor changes the address once it rests, and is no step back.
  function look(changes) {
    Object.assign(state, changes);
    pointed = null;
    at("missing").hidden = true;
    show();
    clearTimeout(later);
    later = setTimeout(remember, SETTLE_MS);
  }

  const chooseClass = (klass) => go({ klass: klass === null ? null : page.classes[klass] });
  const side = () => maps[0].stage.clientWidth || 1;
  const size = () => state.grid ?? geometry.fitting(sizes, state.zoom, side());
  const cellUnder = (place) => {
    const [row, column] = geometry.cellAt(state, size(), place);
    return { size: size(), row, column };
  };

  const heard = {
    zoom: (factor, place) => look(geometry.zoomed(state, factor, place ?? center(), sizes)),
    pan: (share) => look(geometry.moved(state, share, sizes)),
    whole: () => go(geometry.WHOLE),
    choose: (place) => go({ cell: cellUnder(place) }),
    leave: () => (state.cell ? go({ cell: null }) : state.klass !== null && go({ klass: null })),
    point(place) {
      const cell = place && cellUnder(place);
      if (JSON.stringify(cell) === JSON.stringify(pointed)) return;
      pointed = cell;
      showMarks();
      showPanel();
    },
    step([rows, columns]) {
      const now = size(), cell = state.cell && state.cell.size === now ? moved(state.cell, rows, columns) : middle(now);
      look({ cell, ...geometry.showing(state, now, [cell.row, cell.column], sizes) });
      announce();
    },
    finer(by) {
      const next = sizes[sizes.indexOf(size()) + by];
      if (next) go({ grid: next });
    },
  };

  // The middle of the chosen cell as far as it is seen, else of the map: without a pointer that is what zooms keep.
  function center() {
    const box = state.cell && geometry.boxOf(state, state.cell.size, [state.cell.row, state.cell.column]);
    if (!box || !geometry.isSeen(box)) return [0.5, 0.5];
    return [box[0], box[1]].map((start) => Math.min(1, Math.max(0, start + box[2] / 2)));
  }

  const inside = (n, now) => Math.min(now - 1, Math.max(0, n));
  const moved = ({ row, column }, rows, columns) =>
    ({ size: size(), row: inside(row + rows, size()), column: inside(column + columns, size()) });

  // Where the cursor begins: where it was in another grid, else in the middle of the view.
  function middle(now) {
    const { cell } = state, x = cell ? (cell.column + 0.5) / cell.size : state.x;
    const y = cell ? (cell.row + 0.5) / cell.size : state.y;
    return { size: now, row: inside(Math.floor(y * now), now), column: inside(Math.floor(x * now), now) };
  }

  // The grids that are there, at the size; the others are asked for.
  const gridsAt = (wanted) => page.maps.map((_, i) =>
    phosphene.grids.gridOf(page, i, wanted, { arrived, failed: complain }));

  function arrived() {
    at("problem").hidden = true;
    show();
  }

  const klassNumber = () => (state.klass === null ? null : page.classes.indexOf(state.klass));

  function show() {
    phosphene.controls.show({ state, sizes, klass: klassNumber() });
    maps.forEach(({ surface }) => surface.classList.toggle("near", state.zoom > 1));
    showMarks();
    showPanel();
    repaint();
  }

  function repaint() {
    if (!awaited && state) awaited = requestAnimationFrame(paint);
  }

  // Until a grid is there, the one that was painted before stays.
  function paint() {
    awaited = 0;
    gridsAt(size()).forEach((grid, i) => {
      maps[i].grid = grid || maps[i].grid;
      const shown = { view: state, grid: maps[i].grid, klass: klassNumber(), counts: state.counts };
      if (shown.grid) phosphene.map.paint(maps[i], shown, repaint);
    });
  }

  function showMarks() {
    const here = pointed || state.cell, grids = here ? gridsAt(here.size) : [];
    maps.forEach((map, i) => {
      phosphene.map.mark(map, "chosen", state, state.cell);
      phosphene.map.mark(map, "pointed", state, pointed);
      map.readout.textContent = here ? phosphene.panel.brief(grids[i], here, { page, klass: klassNumber() }) : "";
    });
  }

  function showPanel() {
    const cell = pointed || state.cell, klass = klassNumber();
    const shown = { page, cell, klass, view: state, grids: gridsAt(cell ? cell.size : size()) };
    phosphene.panel.show(shown, chooseClass);
    phosphene.panel.around(shown, chooseClass);
    at("hint").hidden = Boolean(cell);
    const both = maps.length > 1 ? " A cell is of the same photographs in both maps." : "";
    at("hint").textContent = "Point at a cell, tap it, or use the arrow keys on the map." + both;
  }

  function announce() {
    const grids = gridsAt(state.cell.size);
    const said = grids.map((grid) => phosphene.panel.brief(grid, state.cell, { page, klass: klassNumber() }));
    at("live").textContent = phosphene.panel.placeName(state.cell) + ". " + said.join(". ");
  }

  function complain(error) {
    at("problem").textContent = error.message;
    at("problem").hidden = false;
  }

  start().catch(complain);
})();
