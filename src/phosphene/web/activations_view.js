"use strict";
// Where things of the plane are on the screen. The plane is the square from 0 to 1, x to the right and y down; a view
// is { x, y, zoom }: the point in the middle, and how many times larger than to fit. Nothing here touches the page.
(() => {
  const READABLE = 44; // pixels: side of a cell from which its picture says something
  const WHOLE = Object.freeze({ x: 0.5, y: 0.5, zoom: 1 });

  const cut = (value, low, high) => Math.min(high, Math.max(low, value));

  // Cells of the finest grid become a third of the map at most.
  const closest = (sizes) => Math.max(4, Math.max(...sizes) / 3);

  // The nearest view that shows nothing beyond the plane.
  function settled({ x, y, zoom }, sizes) {
    const near = cut(zoom, 1, closest(sizes)), half = 0.5 / near;
    return { x: cut(x, half, 1 - half), y: cut(y, half, 1 - half), zoom: near };
  }

  // The point of the plane at a place of the map, both as shares of its side.
  const under = (view, [across, down]) =>
    [view.x + (across - 0.5) / view.zoom, view.y + (down - 0.5) / view.zoom];

  // Zooms and keeps what is at the place where it is.
  function zoomed(view, factor, [across, down], sizes) {
    const zoom = cut(view.zoom * factor, 1, closest(sizes)), [x, y] = under(view, [across, down]);
    return settled({ x: x - (across - 0.5) / zoom, y: y - (down - 0.5) / zoom, zoom }, sizes);
  }

  const moved = (view, [across, down], sizes) =>
    settled({ ...view, x: view.x + across / view.zoom, y: view.y + down / view.zoom }, sizes);

  // The finest grid whose cells can be read at this zoom, on a map of so many pixels.
  function fitting(sizes, zoom, side) {
    const readable = sizes.filter((size) => (side * zoom) / size >= READABLE);
    return readable.length ? Math.max(...readable) : Math.min(...sizes);
  }

  // Row and column of the cell at a place of the map.
  function cellAt(view, size, place) {
    const [column, row] = under(view, place).map((share) => cut(Math.floor(share * size), 0, size - 1));
    return [row, column];
  }

  // Left, top and side of a cell as shares of the map's side; grown to `share` of its side, about its middle.
  function boxOf(view, size, [row, column], share = 1) {
    const side = (view.zoom * share) / size;
    const start = (number, middle) => ((number + 0.5) / size - middle) * view.zoom + 0.5 - side / 2;
    return [start(column, view.x), start(row, view.y), side];
  }

  const isSeen = ([left, top, side]) => left < 1 && top < 1 && left + side > 0 && top + side > 0;

  // The least move after which the cell is wholly seen.
  function showing(view, size, [row, column], sizes) {
    const half = Math.max(0, 0.5 / view.zoom - 0.5 / size);
    const near = (middle, number) => {
      const center = (number + 0.5) / size;
      return cut(middle, center - half, center + half);
    };
    return settled({ ...view, x: near(view.x, column), y: near(view.y, row) }, sizes);
  }

  phosphene.view = { WHOLE, settled, under, zoomed, moved, fitting, cellAt, boxOf, isSeen, showing };
})();
