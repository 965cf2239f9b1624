"use strict";
// Which units of two atlases stand side by side, and in which order.
// A pair is { a, b, other, r }: places of the units in their layers (b is -1 where there is none), the layer of the
// other atlas, and the correlation of their answers to the same photographs, or null.
(() => {
  const { placeOf } = phosphene.atlas;
  const WAYS = { unit: "by number", answers: "by answers" };
  const SORTS = {
    index: { name: "number", up: true },
    r: { name: "correlation" },
    here: { name: "score on the left" },
    there: { name: "score on the right" },
    gain: { name: "right less left" },
  };

  // The ways in which a layer's units are paired: { unit, answers }, a list of pairs each where there is one.
  function ways(layer, found, others) {
    const other = (slug) => others.find((one) => one.slug === slug);
    const made = {}, twin = found.by_unit && other(found.by_unit.slug_b);
    if (twin) made.unit = numbers(layer).map((unit, a) => ({ a, b: placeOf(twin, unit), other: twin, r: null }));
    if (found.aligned?.length) {
      made.answers = found.aligned.map(([unit, slug, unitB, r]) => {
        const layerB = other(slug);
        return { a: placeOf(layer, unit), b: layerB ? placeOf(layerB, unitB) : -1, other: layerB ?? null, r };
      }).filter(({ a }) => a >= 0);
    }
    return made;
  }

  const numbers = (layer) =>
    layer.ranges.flatMap(([start, stop]) => Array.from({ length: stop - start }, (_, i) => start + i));

  // What two layers' numbers say of a pair. left, and right by the other layer's slug, are contents of layer.js.
  function valueOf(pair, sort, { left, right }) {
    const there = pair.other && pair.b >= 0 ? right.get(pair.other.slug).score[pair.b] : null;
    const here = left.score[pair.a];
    if (sort === "r") return pair.r;
    if (sort === "here") return here;
    if (sort === "there") return there;
    return here === null || there === null ? null : there - here;
  }

  const sorts = (pairs) => Object.keys(SORTS).filter((sort) => sort !== "r" || pairs.some(({ r }) => r !== null));

  // Pairs without a number come last whichever way the others go.
  function ordered(pairs, { sort, isUp }, known) {
    const way = isUp ? 1 : -1;
    if (sort === "index") return [...pairs].sort((x, y) => way * (x.a - y.a));
    const valued = pairs.map((pair) => [pair, valueOf(pair, sort, known)]), isThere = ([, value]) => value !== null;
    const found = valued.filter(isThere).sort((x, y) => way * (x[1] - y[1]) || x[0].a - y[0].a);
    return [...found, ...valued.filter((one) => !isThere(one))].map(([pair]) => pair);
  }

  phosphene.pairs = { WAYS, SORTS, ways, sorts, ordered, valueOf };
})();
