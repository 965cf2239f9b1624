"use strict";
// One map: a canvas that is only drawn on, never read (pictures from disk would forbid that), with marks above it.
(() => {
  const { element, view: geometry } = phosphene;
  const LEAST = { size: 0.4, opacity: 0.25 }; // of a cell of hardly any activations, so that it is still seen
  const QUIET = 0.15; // opacity of the cells that do not speak for the chosen class
  const CORNER = 0.2; // side of the overview, as a share of the map

  // The map's elements in `parent`. `repaint` is called where it has to be painted anew.
  function build(map, parent, repaint) {
    const figure = element("figure", { class: "map" }, parent);
    const caption = element("figcaption", {}, figure);
    element("b", { class: "name" }, caption, map.layer);
    caption.append(" of " + map.network);
    const stage = element("div", { class: "stage" }, figure);
    const made = { about: map, figure, stage, density: null };
    made.canvas = element("canvas", { "aria-hidden": "true" }, stage);
    for (const name of ["pointed", "chosen"]) made[name] = element("div", { class: "mark " + name }, stage);
    made.surface = element("div", {
      class: "surface", role: "application", "aria-roledescription": "zoomable map", tabindex: "0",
      "aria-label": "Activations at " + map.layer + " of " + map.network + ". Arrow keys move from cell to cell, "
        + "plus and minus zoom, brackets choose the grid.",
    }, stage);
    made.readout = element("p", { class: "readout", "aria-hidden": "true" }, figure);
    if (map.density) made.density = cloud(map.density);
    new ResizeObserver(repaint).observe(stage);
    return made;
  }

  // How densely the activations lie, as a small picture in the ink's colour.
  function cloud({ side, data }) {
    const canvas = element("canvas", { width: side, height: side }), context = canvas.getContext("2d");
    const image = context.createImageData(side, side);
    Array.from(atob(data)).forEach((letter, i) => image.data.set([128, 118, 100, letter.charCodeAt(0)], 4 * i));
    context.putImageData(image, 0, 0);
    return canvas;
  }

  // shown: { view, grid, klass, counts }; `again` is called when a sheet arrives.
  function paint(map, shown, again) {
    const { canvas, stage } = map, side = stage.clientWidth, density = window.devicePixelRatio || 1;
    const pixels = Math.max(1, Math.round(side * density));
    if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
    const context = canvas.getContext("2d"), quiet = getComputedStyle(stage).getPropertyValue("--quiet");
    context.clearRect(0, 0, pixels, pixels);
    paintCloud(context, map, shown.view, pixels);
    const cells = seenCells(shown);
    let awaited = 0;
    for (const cell of cells) awaited += paintCell(context, { ...cell, pixels, quiet, grid: shown.grid }, again);
    paintCorner(context, map, shown.view, pixels);
    context.globalAlpha = 1;
    Object.assign(stage.dataset, { grid: shown.grid.size, cells: cells.length, awaited });
  }

  function paintCloud(context, { density }, { x, y, zoom }, pixels) {
    if (!density) return;
    const n = density.width, half = 0.5 / zoom;
    context.globalAlpha = 0.35;
    context.drawImage(density, (x - half) * n, (y - half) * n, n / zoom, n / zoom, 0, 0, pixels, pixels);
  }

  function seenCells({ view, grid, klass, counts }) {
    return grid.row.map((row, number) => {
      const looks = lookOf(grid, number, klass, counts);
      return { number, box: geometry.boxOf(view, grid.size, [row, grid.column[number]], looks.share), ...looks };
    }).filter(({ box }) => geometry.isSeen(box));
  }

  // share: of the cell's side; the area follows the count, up to that from which cells are shown in full.
  function lookOf(grid, i, klass, counts) {
    const part = Math.min(1, Math.sqrt(grid.count[i] / Math.max(1, grid.full)));
    const share = counts === "size" ? Math.max(LEAST.size, part) : 1;
    if (klass === null) return { share, opacity: counts === "opacity" ? Math.max(LEAST.opacity, part) : 1 };
    const says = phosphene.grids.saysOf(grid, i, klass), best = phosphene.grids.bestFor(grid, klass);
    return { share, opacity: says > 0 && best > 0 ? 0.35 + (0.65 * says) / best : QUIET };
  }

  // Whether its picture is still on its way, as a number.
  function paintCell(context, { grid, number, box, opacity, pixels, quiet }, again) {
    const [left, top, right, bottom] = [box[0], box[1], box[0] + box[2], box[1] + box[2]]
      .map((share) => Math.round(share * pixels));
    const gap = right - left > 12 ? Math.max(1, Math.round(pixels / 900)) : 0;
    const place = [left, top, Math.max(1, right - left - gap), Math.max(1, bottom - top - gap)];
    context.globalAlpha = opacity;
    context.fillStyle = quiet;
    context.fillRect(...place);
    const found = phosphene.grids.placeOf(grid, number);
    if (!found) return hatch(context, place);
    const image = phosphene.grids.sheetOf(found.file, again);
    if (!image.complete) return 1;
    if (!image.naturalWidth) return hatch(context, place);
    const [sheet, scale] = phosphene.grids.halved(image, grid.tile, place[2]), tile = grid.tile * scale;
    const across = (found.index % grid.block) * tile, down = Math.floor(found.index / grid.block) * tile;
    context.drawImage(sheet, across, down, tile, tile, ...place);
    return 0;
  }

  // A cell without a picture.
  function hatch(context, [left, top, width, height]) {
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.strokeStyle = "#88807466";
    context.beginPath();
    for (let offset = -height; offset < width; offset += 7) {
      context.moveTo(left + offset, top + height);
      context.lineTo(left + offset + height, top);
    }
    context.stroke();
    context.restore();
    return 0;
  }

  // Where the view is in the whole, once it is not the whole.
  function paintCorner(context, { density, stage }, { x, y, zoom }, pixels) {
    if (!density || zoom < 1.3) return;
    const side = CORNER * pixels, edge = 0.012 * pixels, start = pixels - side - edge;
    context.globalAlpha = 0.92;
    context.fillStyle = getComputedStyle(stage).getPropertyValue("--card");
    context.fillRect(start, edge, side, side);
    context.globalAlpha = 1;
    context.drawImage(density, start, edge, side, side);
    context.strokeStyle = getComputedStyle(stage).getPropertyValue("--mark");
    context.lineWidth = Math.max(1, pixels / 400);
    context.strokeRect(start, edge, side, side);
    context.strokeRect(start + (x - 0.5 / zoom) * side, edge + (y - 0.5 / zoom) * side, side / zoom, side / zoom);
  }

  // A frame around a cell { size, row, column }, or none.
  function mark(map, name, view, cell) {
    const frame = map[name], box = cell && geometry.boxOf(view, cell.size, [cell.row, cell.column]);
    frame.hidden = !box || !geometry.isSeen(box);
    if (frame.hidden) return;
    const [left, top, side] = box.map((share) => 100 * share + "%");
    Object.assign(frame.style, { left, top, width: side, height: side });
  }

  phosphene.map = { build, paint, mark };
})();
