"use strict";
// What is shown is written in the address after "#", so that it can be linked to and the back button works:
//   #/0.5,0.5,1?grid=20&cell=20:3,4&class=tabby&counts=opacity
// The path is the middle of the view and its zoom. Without a grid the zoom chooses one; a cell names its own grid, its
// row and its column.
(() => {
  const COUNTS = ["size", "opacity", "nothing"];
  let page = null, sizes = [];

  function usePage(found) {
    page = found;
    sizes = phosphene.gridSizes(found);
  }

  function parse(hash) {
    const text = hash.replace(/^#\/?/, ""), mark = text.indexOf("?");
    const path = mark < 0 ? text : text.slice(0, mark), said = new URLSearchParams(mark < 0 ? "" : text.slice(mark));
    const grid = Number(said.get("grid")), klass = said.get("class"), cell = cellOf(said.get("cell"));
    const state = {
      ...viewOf(path),
      grid: sizes.includes(grid) ? grid : null,
      cell: cell && isInside(cell) ? cell : null,
      klass: page.classes.includes(klass) ? klass : null,
      counts: COUNTS.includes(said.get("counts")) ? said.get("counts") : COUNTS[0],
    };
    return { ...state, missing: missing(said, state) };
  }

  // What an address asks for and the page does not have.
  function missing(said, state) {
    const names = { grid: "grid", cell: "cell", klass: "class" };
    return Object.entries(names).filter(([key, name]) => said.has(name) && state[key] === null)
      .map(([, name]) => name + " " + said.get(name));
  }

  function viewOf(path) {
    const numbers = path.split(",").map(Number), isView = numbers.length === 3 && numbers.every(Number.isFinite);
    const [x, y, zoom] = numbers;
    return phosphene.view.settled(isView ? { x, y, zoom } : phosphene.view.WHOLE, sizes);
  }

  function cellOf(text) {
    const found = /^(\d{1,5}):(\d{1,5}),(\d{1,5})$/.exec(text ?? "");
    return found && { size: Number(found[1]), row: Number(found[2]), column: Number(found[3]) };
  }

  const isInside = ({ size, row, column }) => sizes.includes(size) && row < size && column < size;

  function format(state) {
    const said = new URLSearchParams(), { cell } = state;
    if (state.grid !== null) said.set("grid", state.grid);
    if (cell) said.set("cell", cell.size + ":" + cell.row + "," + cell.column);
    if (state.klass !== null) said.set("class", state.klass);
    if (state.counts !== COUNTS[0]) said.set("counts", state.counts);
    const place = [state.x, state.y].map((share) => Number(share.toFixed(4))), zoom = Number(state.zoom.toFixed(3));
    const query = said.toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
    return "#/" + [...place, zoom].join(",") + (query ? "?" + query : "");
  }

  phosphene.state = { COUNTS, usePage, parse, format };
})();
