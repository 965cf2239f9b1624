"use strict";
// The pictures of a unit: one of them on the plate, with all that is known of it; the others beside it, each of which
// can be put there. And the photographs that stand out.
(() => {
  const { at, element, number } = phosphene;
  const { REASONS, WORDS, percentileOf, plural } = phosphene.atlas;
  const KINDS = [["top", "Photographs that drive it most"], ["bottom", "Photographs that drive it least"],
    ["zero", "Photographs that leave it nearest to zero"]];

  const TOLD = "Each cut to the part that drives it, with the unit’s greatest answer over positions; the scores "
    + "above are means, and the best photograph by its mean may be another one. Grey is beyond a photograph’s edge.";

  // Short, and told apart within a unit: how the address names a picture.
  const nameOf = ({ variant, member, seed }) => [variant, member, seed].join(".");

  function titles(picture, unit) {
    const alike = unit.pictures.filter(({ variant }) => variant === picture.variant);
    const seeds = new Set(alike.map(({ seed }) => seed)).size > 1 ? ", seed " + picture.seed : "";
    const members = alike.filter(({ seed }) => seed === picture.seed).length;
    if (picture.variant === "diverse") return "Another way, " + (picture.member + 1) + " of " + members + seeds;
    const known = { positive: "What drives it most", negative: "What drives it least" };
    return (known[picture.variant] ?? picture.variant) + seeds;
  }

  // Enlarged to a whole multiple, each pixel of a picture is as large as the next; and much more than that is a blur.
  // A tiny one is shown by its pixels, as large as there is room.
  const MOST = 4, TINY = 48, PLATE = 528, OTHER = 240;

  // How wide a picture is shown where there is so much room.
  function widthOf({ width, height }, room) {
    const side = Math.max(width, height, 1), multiple = Math.floor(room / side);
    return Math.min(room, Math.max(1, side < TINY ? multiple : Math.min(MOST, multiple)) * width);
  }

  function image(parent, picture, title, address) {
    const { status, reason, src, width, height } = picture;
    if (src) {
      element("img", { src, alt: title + ": " + address, width, height, decoding: "async",
        class: Math.max(width, height) < TINY ? "small" : null }, parent);
    } else nothing(parent, status === "ok" ? "damaged" : status, reason);
    if (src && status !== "ok") element("span", { class: "note" }, parent, sentence(status, reason));
    else if (src && reason) element("span", { class: "note" }, parent, reason);
  }

  const sentence = (status, reason) => (WORDS[status] ?? status) + ": " + (reason || REASONS[status] || "");

  function nothing(parent, status, reason) {
    const place = element("div", { class: "nothing" }, parent);
    element("b", {}, place, WORDS[status] ?? status);
    element("span", {}, place, reason || REASONS[status] || "");
  }

  function showPlate(unit, picture) {
    const place = at("plate"), room = Math.min(PLATE, place.parentElement.clientWidth, 0.88 * innerHeight);
    place.replaceChildren();
    place.style.width = picture && picture.src ? widthOf(picture, room) + "px" : "";
    if (!picture) {
      nothing(place, "missing", "");
      return showScore(unit, null);
    }
    const title = titles(picture, unit);
    image(place, picture, title, unit.address);
    element("figcaption", {}, place, title);
    showScore(unit, picture);
  }

  function showScore(unit, picture) {
    const { answers } = unit, score = picture ? picture.score : null;
    showNumbers(unit, picture);
    at("answers-part").hidden = !answers || !answers.shares.length;
    if (answers && answers.shares.length) {
      phosphene.charts.histogram(at("histogram"), answers, score);
      at("answers-said").textContent = plural(answers.n, "photograph") + ": " + number(answers.mean) + " on average, "
        + "standard deviation " + number(answers.std) + ", at most " + number(answers.max) + "; "
        + phosphene.percent(answers.above_zero) + " above 0.";
    }
    const has = Boolean(picture) && picture.curve.filter(Number.isFinite).length > 1;
    at("curve-part").hidden = !has;
    if (has) phosphene.charts.curve(at("curve"), picture.curve);
  }

  // How strongly the unit answers its picture, and what that is among photographs.
  function showNumbers(unit, picture) {
    const list = at("scores"), { answers } = unit;
    list.replaceChildren();
    at("robust").textContent = "";
    if (!picture || !isKnown(picture.score)) return;
    const { score, percentile, multiple, robust, variant } = picture;
    figure(list, number(score), "score: its answer" + (unit.hasPositions ? ", the mean over positions" : ""));
    if (isKnown(percentile)) figure(list, percentileOf(percentile) + "\u00a0%",
      "of " + (answers ? plural(answers.n, "photograph") : "the photographs") + " drive it less (percentile)");
    if (isKnown(multiple) && variant !== "negative") figure(list, number(multiple) + "\u00a0×",
      "the best photograph’s " + (unit.hasPositions ? "mean" : "answer") + (answers ? ", " + number(answers.max) : ""));
    if (isKnown(robust)) at("robust").textContent = "Shifted, scaled and turned, it is answered with " + number(robust)
      + " on average.";
  }

  const isKnown = (value) => value !== null && value !== undefined;

  function figure(list, value, about) {
    const row = element("div", {}, list);
    element("dt", {}, row, about);
    element("dd", {}, row, value);
  }

  function showOthers(unit, shown, choose) {
    const list = at("others"), others = unit.pictures.filter((picture) => picture !== shown);
    const held = list.contains(document.activeElement), isNarrow = innerWidth < 672;
    const room = isNarrow ? (list.parentElement.clientWidth - 14) / 2 : OTHER;
    list.style.setProperty("--side", Math.max(96, ...others.map((one) => widthOf(one, room))) + "px");
    list.replaceChildren();
    at("others-part").hidden = !others.length;
    for (const picture of others) {
      const title = titles(picture, unit), button = element("button", { type: "button", class: "swap" },
        element("li", {}, list));
      button.dataset.picture = nameOf(picture);
      image(button, picture, title, unit.address);
      const caption = element("span", { class: "caption" }, button);
      element("span", {}, caption, title);
      element("span", { class: "value" }, caption, picture.score === null ? "" : number(picture.score));
      button.addEventListener("click", () => choose(nameOf(picture)));
    }
    if (held) list.querySelector("button")?.focus();
  }

  function showExamples(unit, isWhole) {
    const place = at("examples"), shown = new Set();
    let left = 0;
    place.replaceChildren();
    if (!isWhole && !unit.answers) element("p", { class: "note" }, place, phosphene.atlas.UNREADABLE);
    for (const [kind, title] of KINDS) {
      const own = unit.examples.filter((example) => example.kind === kind).sort((a, b) => a.rank - b.rank);
      const found = own.filter(({ key }) => !shown.has(key));
      own.forEach(({ key }) => shown.add(key));
      left += own.length - found.length;
      if (!found.length) continue;
      element("h2", {}, place, title);
      if (kind === "top" && unit.hasPositions) element("p", { class: "note" }, place, TOLD);
      const list = element("ul", { class: "photographs" }, place);
      for (const { src, key, value } of found) photograph(element("li", {}, list), { src, key, value });
    }
    if (left) element("p", { class: "note" }, place, "There are few photographs: one that belongs in several of these "
      + "lists stands in the first of them only.");
  }

  function photograph(item, { src, key, value }) {
    if (src) element("img", { src, alt: "part of " + key, loading: "lazy", decoding: "async" }, item);
    else element("span", { class: "tile none", role: "img", "aria-label": "no longer there" }, item);
    element("span", { class: "value" }, item, number(value));
    element("span", { class: "source", title: key }, item, key);
  }

  phosphene.plates = { nameOf, showPlate, showOthers, showExamples };
})();
