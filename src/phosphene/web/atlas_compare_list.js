"use strict";
// A list of any number of pairs, of which only those in sight are there. It scrolls with the page. The keyboard stands
// on one pair, which stays there even out of sight.
(() => {
  const { element } = phosphene;
  const SIDES = { s: 58, m: 104, l: 176 }; // of a picture at least, in CSS pixels
  const MARGIN_ROWS = 2; // beyond what is in sight, on each side
  const LINE = 21, GAP = 20, INNER = 4;

  // place: an empty list. about(pair) gives what is said of it; open(index) where one is chosen.
  function build(place, { about, open }) {
    const shown = new Map(), sheets = phosphene.sheets.build(painted);
    let pairs = [], look = null, box = null, focus = 0, isAsked = false;

    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    new ResizeObserver(() => look && place.clientWidth !== box?.width && measure()).observe(place);
    place.addEventListener("focusin", (event) => stop(indexOf(event)));
    place.addEventListener("keydown", moved);
    place.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || indexOf(event) === null) return;
      event.preventDefault();
      open(indexOf(event));
    });

    function indexOf(event) {
      const item = event.target.closest("li");
      return item ? Number(item.dataset.index) : null;
    }

    // look: { size, variant, layer, isValued: whether a line below the names says a number }.
    function show(wished, wishedLook) {
      [pairs, look, focus] = [wished, wishedLook, 0];
      measure();
    }

    function measure() {
      const width = place.clientWidth, least = 2 * SIDES[look.size] + INNER;
      const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
      const each = (width - GAP * (columns - 1)) / columns;
      box = { width, columns, each, row: (each - INNER) / 2 + (look.isValued ? 2 : 1) * LINE + GAP };
      place.style.height = Math.max(0, Math.ceil(pairs.length / columns) * box.row - GAP) + "px";
      for (const index of [...shown.keys()]) release(index);
      draw();
    }

    function soon() {
      if (isAsked || !look) return;
      isAsked = true;
      requestAnimationFrame(() => {
        isAsked = false;
        draw();
      });
    }

    const offset = () => place.getBoundingClientRect().top + scrollY;

    function draw() {
      const above = scrollY - offset(), rowAt = (y) => Math.floor(y / box.row);
      const first = Math.max(0, rowAt(above) - MARGIN_ROWS) * box.columns;
      const end = Math.min(pairs.length, (rowAt(above + innerHeight) + 1 + MARGIN_ROWS) * box.columns);
      for (const index of [...shown.keys()]) {
        const isHeld = index === focus && shown.get(index).item.contains(document.activeElement);
        if ((index < first || index >= end) && !isHeld) release(index);
      }
      for (let index = end - 1; index >= first; index--) if (!shown.has(index)) fill(index);
      stop(shown.has(focus) ? focus : first);
      const files = [...shown.values()].flatMap(({ tiles }) => tiles.map(({ file }) => file));
      sheets.want([...new Set(files.filter(Boolean))]);
    }

    function fill(index) {
      const pair = pairs[index], said = about(pair), row = Math.floor(index / box.columns);
      const item = element("li", { "data-index": index, "aria-posinset": index + 1, "aria-setsize": pairs.length });
      const link = element("a", { href: said.href, title: said.title, "aria-label": said.title, tabindex: -1 }, item);
      const two = element("span", { class: "two" }, link);
      const tiles = [tileOf(two, look.layer, pair.a, said.words[0]), tileOf(two, pair.other, pair.b, said.words[1])];
      const caption = element("span", { class: "caption" }, link);
      said.names.forEach((name) => element("span", {}, caption, name));
      if (look.isValued) element("span", { class: "value" }, link, said.value);
      item.style.width = box.each + "px";
      item.style.transform = "translate(" + (index % box.columns) * (box.each + GAP) + "px, " + row * box.row + "px)";
      shown.set(index, { item, link, tiles });
      place.insertBefore(item, shown.get(index + 1)?.item ?? null);
      tiles.forEach(paint);
    }

    // word: why there is no picture, or nothing.
    function tileOf(parent, layer, index, word) {
      const sheet = layer && index >= 0 && !word ? layer.sprites[look.variant] : null;
      const picture = element("span", { class: sheet ? "tile" : "tile none", "data-word": word }, parent);
      return { picture, sheet, index, file: sheet && phosphene.atlas.fileOf(sheet, index) };
    }

    function paint({ picture, sheet, index, file }) {
      if (file && sheets.isReady(file)) phosphene.atlas.paint(picture, sheet, index);
      else if (file && sheets.isBroken(file)) picture.classList.add("none");
    }

    function painted(file) {
      for (const { tiles } of shown.values()) tiles.filter((tile) => tile.file === file).forEach(paint);
    }

    function release(index) {
      shown.get(index).item.remove();
      shown.delete(index);
    }

    // One stop for the tab key.
    function stop(index) {
      if (index === null) return;
      focus = index;
      for (const [number, { link }] of shown) link.tabIndex = number === focus ? 0 : -1;
    }

    function moved(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -box.columns, ArrowDown: box.columns,
        Home: -focus, End: pairs.length - 1 - focus };
      if (!(event.key in moves)) return;
      event.preventDefault();
      const to = focus + moves[event.key];
      if (to >= 0 && to < pairs.length) stand(to);
    }

    function stand(index) {
      const top = offset() + Math.floor(index / box.columns) * box.row, bottom = top + box.row;
      if (top < scrollY || bottom > scrollY + innerHeight) scrollTo(0, top - innerHeight / 3);
      focus = index;
      draw();
      if (!shown.has(index)) fill(index);
      stop(index);
      shown.get(index).link.focus({ preventScroll: true });
    }

    return { show, stand };
  }

  phosphene.pairList = { build };
})();
