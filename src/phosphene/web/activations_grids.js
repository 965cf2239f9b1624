"use strict";
// The grids of the maps, each loaded when it is first shown, and the sheets that hold the pictures of its cells.
(() => {
  const grids = new Map(), lost = new Set(), sheets = new Map(), halves = new Map();

  // Sizes that every map has, from coarse to fine.
  function gridSizes(page) {
    const all = page.maps.map((map) => map.grids.map((grid) => grid.size));
    return all[0].filter((size) => all.every((sizes) => sizes.includes(size))).sort((a, b) => a - b);
  }

  // The grid if it is there, else nothing; `arrived` is called once it is, `failed` with an error where it cannot be.
  function gridOf(page, number, size, { arrived, failed }) {
    const key = "grid/" + number + "/" + size;
    if (!grids.has(key)) {
      grids.set(key, null);
      const { file } = page.maps[number].grids.find((grid) => grid.size === size);
      phosphene.load(key, file).then((found) => {
        grids.set(key, indexed(found));
        arrived();
      }).catch((error) => {
        lost.add(key);
        failed(error);
      });
    }
    return grids.get(key);
  }

  // What could not be read is asked for again when it is next wanted.
  function again() {
    for (const key of lost) grids.delete(key);
    lost.clear();
  }

  const UPPER = 0.75; // the most frequented quarter of the cells is shown in full: a few hold far more than the others

  function indexed(found) {
    const places = new Map(found.row.map((row, i) => [row * found.size + found.column[i], i]));
    const counts = [...found.count].sort((a, b) => a - b), full = counts[Math.floor(UPPER * counts.length)] ?? 1;
    const hasMinus = found.classes.some((said) => said.some(([, value]) => value < 0));
    return { ...found, places, full, hasMinus, bests: new Map() };
  }

  // Number of the cell at a row and a column; nothing where it is empty.
  const numberAt = (grid, row, column) => grid.places.get(row * grid.size + column);

  // What a cell's mean says of a class; nothing where it is not among those that were kept.
  function saysOf(grid, i, klass) {
    const found = grid.classes[i].find(([name]) => name === klass);
    return found ? found[1] : null;
  }

  // The largest that any cell of the grid says for a class.
  function bestFor(grid, klass) {
    if (!grid.bests.has(klass)) {
      grid.bests.set(klass, Math.max(0, ...grid.row.map((_, i) => saysOf(grid, i, klass) ?? 0)));
    }
    return grid.bests.get(klass);
  }

  // The sheet that holds a cell's picture, and the picture's number on it; nothing where there is no picture.
  function placeOf(grid, i) {
    if (!grid.pictured[i]) return null;
    const [row, column] = [grid.row[i], grid.column[i]].map((n) => [Math.floor(n / grid.block), n % grid.block]);
    return { file: grid.sheets[row[0] + "-" + column[0]], index: row[1] * grid.block + column[1] };
  }

  // An image that may still be on its way.
  function sheetOf(file, arrived) {
    if (!sheets.has(file)) {
      const image = new Image();
      sheets.set(file, image);
      image.onload = image.onerror = () => image.waiting.forEach((call) => call());
      image.waiting = new Set();
      image.src = phosphene.address(file);
    }
    const image = sheets.get(file);
    if (!image.complete) image.waiting.add(arrived);
    return image;
  }

  // The sheet, halved as often as its tiles stay at least so large: many small pictures are painted far faster from it.
  function halved(image, tile, wanted) {
    let found = image, scale = 1;
    while (tile * scale >= 2 * wanted && tile * scale >= 16) {
      scale /= 2;
      const key = image.src + "/" + scale;
      if (!halves.has(key)) halves.set(key, half(found));
      found = halves.get(key);
    }
    return [found, scale];
  }

  function half(source) {
    const [width, height] = [source.naturalWidth ?? source.width, source.naturalHeight ?? source.height];
    const canvas = phosphene.element("canvas", { width: Math.ceil(width / 2), height: Math.ceil(height / 2) });
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, width / 2, height / 2);
    return canvas;
  }

  Object.assign(phosphene, { gridSizes,
    grids: { gridOf, again, numberAt, saysOf, bestFor, placeOf, sheetOf, halved } });
})();
