"use strict";
// What is said of a pair of units.
(() => {
  const { number, signed } = phosphene;
  const { STATUSES, WORDS, unitAt } = phosphene.atlas;

  // atlas and other with their titles, the layer, the numbers known of it and of the other's, and the page's state.
  phosphene.pairWords = ({ atlas, other, layer, known, state }) => {
    function about(pair, href) {
      const said = names(pair), value = valueSaid(pair), words = sides(pair).map(wordOf);
      return { href, names: shortNames(pair), value, words,
        title: said.join(" and ") + (value ? ", " + value : "") };
    }

    // Why there is no picture, or nothing.
    function wordOf(side) {
      const code = side ? side.numbers.status[side.place] : null;
      return code === null ? "no such unit" : code ? WORDS[STATUSES[code]] : "";
    }

    function names(pair) {
      return sides(pair).map((side) => (side ? phosphene.pair.addressOf(side.layer, side.place) : "nothing"));
    }

    // The other layer is named where it is not the same for all.
    function shortNames(pair) {
      return sides(pair).map((side, i) => {
        if (!side) return "–";
        const label = side.numbers.label ? side.numbers.label[side.place] : "", unit = unitAt(side.layer, side.place);
        return label || (i && state.by === "answers" ? phosphene.pair.addressOf(side.layer, side.place) : String(unit));
      });
    }

    function valueSaid(pair) {
      const value = phosphene.pairs.valueOf(pair, state.sort === "index" ? "r" : state.sort, known);
      if (value === null) return "";
      if (state.sort === "index" || state.sort === "r") return "r " + value.toFixed(2).replace("-", "−");
      return state.sort === "gain" ? signed(value) : number(value);
    }

    function sides({ a, b, other: layerB }) {
      const left = { atlas, layer, place: a, numbers: known.left, prefix: "", folder: "data" };
      if (!layerB || b < 0) return [left, null];
      return [left, { atlas: other, layer: layerB, place: b, numbers: known.right.get(layerB.slug), prefix: "other/",
        folder: "other" }];
    }

    return { about, names, sides };
  };
})();
