"use strict";
// In which order a layer's units stand, and which of them: what the address of a layer and of a unit in it says.
(() => {
  const { STATUSES, ofVariant } = phosphene.atlas;
  const SORTS = {
    index: { name: "number", up: true }, score: { name: "score" }, robust: { name: "robust score" },
    percentile: { name: "percentile" }, multiple: { name: "× best photograph" },
    similarity: { name: "likeness", up: true },
  };

  // What can be had of these numbers, which are of one variant.
  const sorts = (numbers) => Object.keys(SORTS).filter((sort) => sort === "index" || hasAny(numbers[sort]));
  const hasAny = (values) => Boolean(values) && values.some((value) => value !== null);

  // numbers: as the layer's file has them.
  function settle(said, numbers) {
    const variant = numbers.negative && said.get("variant") === "negative" ? "negative" : "positive";
    const sort = sorts(ofVariant(numbers, variant)).includes(said.get("sort")) ? said.get("sort") : "index";
    const status = STATUSES.includes(said.get("status")) ? said.get("status") : null;
    const isUp = SORTS[sort].up ? said.get("order") !== "down" : said.get("order") === "up";
    return { sort, status, isUp, variant };
  }

  // As it is written in an address: what goes without saying is not.
  function said({ sort, status, isUp, variant }) {
    const isUsual = isUp === Boolean(SORTS[sort].up);
    return { sort: sort === "index" ? null : sort, order: isUsual ? null : isUp ? "up" : "down", status,
      variant: variant === "positive" ? null : variant };
  }

  // Places of the units in the layer. Units without a number come last whichever way the others go.
  function places(all, { sort, status, isUp, variant }) {
    const numbers = ofVariant(all, variant);
    const wanted = status === null ? null : STATUSES.indexOf(status), found = [];
    numbers.unit.forEach((_, i) => {
      if (wanted === null || numbers.status[i] === wanted) found.push(i);
    });
    if (sort === "index") return isUp ? found : found.reverse();
    const values = numbers[sort], way = isUp ? 1 : -1, isKnown = (i) => values[i] !== null;
    const known = found.filter(isKnown).sort((a, b) => way * (values[a] - values[b]) || a - b);
    return [...known, ...found.filter((i) => !isKnown(i))];
  }

  phosphene.order = { SORTS, sorts, settle, said, places };
})();
