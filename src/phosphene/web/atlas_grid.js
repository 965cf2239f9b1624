"use strict";
// A grid of any number of units, of which only those in sight are there. It scrolls with the page. The keyboard stands
// on one unit, which stays there even out of sight.
(() => {
  const { element } = phosphene;
  const SIZES = { s: 58, m: 100, l: 176 }; // of a picture at least, in CSS pixels
  const MARGIN_ROWS = 2; // beyond what is in sight, on each side
  const CAPTION = { s: 0, m: 21, l: 24 }, GAP = { s: 4, m: 12, l: 18 };

  // place: an empty list. about(place) gives what is said of a unit; settled(place) hears which unit is on top.
  function build(place, { about, settled }) {
    const shown = new Map(), spare = [], sheets = phosphene.sheets.build(painted);
    let order = [], look = null, box = null, focus = 0, timer = 0, isAsked = false;

    addEventListener("scroll", soon, { passive: true });
    new ResizeObserver(() => {
      if (look && place.clientWidth !== box?.width) keepingTop(measure);
    }).observe(place);
    addEventListener("resize", soon);
    place.addEventListener("focusin", (event) => {
      const item = event.target.closest("li");
      if (item) focusOn(Number(item.dataset.index));
    });
    place.addEventListener("keydown", moved);

    // look: { size, sheets, head() in pixels: what covers the window's top }; units are places in the layer.
    function show(units, wished) {
      order = units;
      look = wished;
      focus = 0;
      for (const index of [...shown.keys()]) release(index);
      measure();
    }

    function measure() {
      const width = place.clientWidth, gap = GAP[look.size];
      const columns = Math.max(2, Math.floor((width + gap) / (SIZES[look.size] + gap)));
      const side = (width - gap * (columns - 1)) / columns;
      box = { width, columns, side, gap, row: side + CAPTION[look.size] + gap };
      place.style.height = Math.max(0, Math.ceil(order.length / columns) * box.row - gap) + "px";
      place.dataset.size = look.size;
      const isHere = place.contains(document.activeElement);
      for (const index of [...shown.keys()]) release(index);
      draw();
      if (!isHere || focus >= order.length) return;
      if (!shown.has(focus)) fill(focus);
      shown.get(focus).link.focus({ preventScroll: true });
    }

    // What is on top stays there when the width changes.
    function keepingTop(change) {
      const top = box ? topIndex() : 0, isInside = place.getBoundingClientRect().top < 0;
      change();
      if (!isInside) return;
      scrollTo(0, offset() + Math.floor(top / box.columns) * box.row - look.head());
      draw();
    }

    const offset = () => place.getBoundingClientRect().top + scrollY;
    const topIndex = () => Math.max(0, Math.round((scrollY + look.head() - offset()) / box.row)) * box.columns;

    function soon() {
      if (isAsked || !look) return;
      isAsked = true;
      requestAnimationFrame(() => {
        isAsked = false;
        draw();
      });
      clearTimeout(timer);
      timer = setTimeout(settle, 250);
    }

    function settle() {
      if (look && order.length) settled(topIndex() > 0 ? order[Math.min(topIndex(), order.length - 1)] : null);
    }

    function draw() {
      const above = scrollY - offset(), rowAt = (y) => Math.floor(y / box.row);
      const first = Math.max(0, rowAt(above) - MARGIN_ROWS) * box.columns;
      const end = Math.min(order.length, (rowAt(above + innerHeight) + 1 + MARGIN_ROWS) * box.columns);
      for (const index of [...shown.keys()]) {
        if ((index < first || index >= end) && !isHeld(index)) release(index);
      }
      for (let index = end - 1; index >= first; index--) if (!shown.has(index)) fill(index);
      stop();
      sheets.want(inSight(rowAt(above + innerHeight / 2)));
    }

    const isHeld = (index) => index === focus && shown.get(index).item.contains(document.activeElement);

    // Files that are waited for, those in the middle of the window first.
    function inSight(middle) {
      const waiting = [...shown].filter(([, cell]) => cell.file && !cell.isDone).sort(([a], [b]) =>
        Math.abs(Math.floor(a / box.columns) - middle) - Math.abs(Math.floor(b / box.columns) - middle));
      return [...new Set(waiting.map(([, cell]) => cell.file))];
    }

    function fill(index) {
      const cell = spare.pop() || made(), unit = about(order[index]);
      shown.set(index, cell);
      cell.item.dataset.index = index;
      cell.item.setAttribute("aria-posinset", index + 1);
      cell.item.setAttribute("aria-setsize", order.length);
      cell.item.style.width = box.side + "px";
      const [x, y] = [(index % box.columns) * (box.side + box.gap), Math.floor(index / box.columns) * box.row];
      cell.item.style.transform = "translate(" + x + "px, " + y + "px)";
      cell.link.href = unit.href;
      cell.link.title = unit.title;
      cell.link.setAttribute("aria-label", unit.title);
      cell.name.textContent = unit.name;
      cell.value.textContent = unit.value;
      cell.file = unit.isDrawn && look.sheets ? phosphene.atlas.fileOf(look.sheets, order[index]) : null;
      cell.picture.className = "tile" + (unit.isDrawn ? "" : " none");
      cell.picture.dataset.word = unit.isDrawn ? "" : unit.word;
      cell.picture.style.backgroundImage = "";
      cell.isDone = false;
      paint(cell, index);
      place.insertBefore(cell.item, shown.get(index + 1)?.item ?? null);
    }

    function made() {
      const item = element("li", {}), link = element("a", { tabindex: -1 }, item);
      const picture = element("span", { class: "tile" }, link), caption = element("span", { class: "caption" }, link);
      const name = element("span", {}, caption), value = element("span", { class: "value" }, caption);
      return { item, link, picture, name, value };
    }

    function release(index) {
      const cell = shown.get(index);
      shown.delete(index);
      if (spare.length < 400) spare.push(cell);
      cell.item.remove();
    }

    function painted(file) {
      for (const [index, cell] of shown) if (cell.file === file) paint(cell, index);
    }

    // As soon as its sheet is here; without it the cell stays empty, and is hatched when there is none to come.
    function paint(cell, index) {
      if (!cell.file || cell.isDone) return;
      const isReady = sheets.isReady(cell.file);
      cell.isDone = isReady || sheets.isBroken(cell.file);
      if (isReady) phosphene.atlas.paint(cell.picture, look.sheets, order[index]);
      else if (cell.isDone) cell.picture.classList.add("none");
    }

    // One stop for the tab key: where the keyboard was last, or the first in sight.
    function stop() {
      const stand = shown.has(focus) ? focus : Math.min(...shown.keys());
      for (const [index, cell] of shown) cell.link.tabIndex = index === stand ? 0 : -1;
    }

    function focusOn(index) {
      focus = index;
      stop();
    }

    function moved(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const page = Math.max(1, Math.floor(innerHeight / box.row) - 1) * box.columns;
      const moves = { ArrowLeft: focus - 1, ArrowRight: focus + 1, ArrowUp: focus - box.columns,
        ArrowDown: focus + box.columns, PageUp: focus - page, PageDown: focus + page, Home: 0, End: order.length - 1 };
      if (!(event.key in moves)) return;
      event.preventDefault();
      const to = moves[event.key], isInside = to >= 0 && to < order.length;
      if (isInside || event.key.startsWith("Page")) go(Math.min(order.length - 1, Math.max(0, to)));
    }

    function go(index) {
      focus = index;
      bring(index);
      draw();
      shown.get(index).link.focus({ preventScroll: true });
    }

    // Scrolls as little as shows the row wholly, below what sticks to the window's top.
    function bring(index) {
      const top = offset() + Math.floor(index / box.columns) * box.row, bottom = top + box.row;
      if (top < scrollY + look.head()) scrollTo(0, top - look.head());
      else if (bottom > scrollY + innerHeight) scrollTo(0, bottom - innerHeight);
    }

    // A unit's place in the layer; on top of the window, or where the keyboard stands.
    function reveal(unit, { isFocus = false } = {}) {
      const index = order.indexOf(unit);
      if (index < 0) return false;
      if (isFocus) go(index);
      else {
        scrollTo(0, offset() + Math.floor(index / box.columns) * box.row - look.head());
        draw();
      }
      return true;
    }

    return { show, reveal, settle };
  }

  phosphene.grid = { build };
})();
