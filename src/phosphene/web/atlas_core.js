"use strict";
// What every page of the atlas uses: its data, its addresses, pictures out of sheets.
(() => {
  const { at, element, load, address, number } = phosphene;
  const STATUSES = ["ok", "dead", "not_finite", "failed", "missing", "damaged"];
  const WORDS = { ok: "drawn", dead: "dead", not_finite: "not finite", failed: "failed", missing: "not drawn yet",
    damaged: "damaged" };
  const REASONS = {
    dead: "Nothing in the picture moves this unit: its gradient is zero.",
    not_finite: "Its score or its gradient was no number.",
    failed: "The rendering failed.",
    missing: "This picture has not been drawn yet.",
    damaged: "The stored picture is damaged.",
  };
  const UNREADABLE = "How units answered photographs cannot be read of all of them: phosphene atlas verify tells which "
    + "file is damaged.";
  let atlas = null;

  async function open() {
    atlas = await load("atlas", "data/atlas.js");
    return atlas;
  }

  const layerOf = (slug) => atlas.layers.find((layer) => layer.slug === slug);
  const numbers = (slug) => load("layer/" + slug, "data/" + slug + "/layer.js");

  // A layer's numbers by its pictures of a variant; where a score stands among photographs is told of the positive.
  const ofVariant = (found, variant) => (variant === "negative" && found.negative
    ? { ...found, robust: null, percentile: null, multiple: null, similarity: null, ...found.negative } : found);

  const changed = () => new Error("This atlas is another one since the page was opened: load the page again.");

  // The entry of the place-th unit of a layer; undefined where the file does not have it.
  async function entry(layer, place) {
    const part = Math.floor(place / layer.chunk);
    const units = await load("units/" + layer.slug + "/" + part, "data/" + layer.slug + "/units-" + part + ".js");
    const found = units[place % layer.chunk];
    if (found && found.unit !== unitAt(layer, place)) throw changed();
    return found;
  }

  // Where a unit stands among those that the atlas has of its layer; -1 where it has not.
  function placeOf(layer, unit) {
    let before = 0;
    for (const [start, stop] of layer.ranges) {
      if (unit >= start && unit < stop) return before + unit - start;
      before += stop - start;
    }
    return -1;
  }

  function unitAt(layer, place) {
    for (const [start, stop] of layer.ranges) {
      if (place < stop - start) return start + place;
      place -= stop - start;
    }
    return null;
  }

  // An address is  #slug?sort=score  or  #slug:unit?sort=score  or  #?q=words.
  function parse(hash) {
    const [path, query] = split(hash.replace(/^#/, ""), "?");
    const name = decoded(path), colon = name.lastIndexOf(":"), unit = colon < 0 ? "" : name.slice(colon + 1);
    return { slug: colon < 0 ? name : name.slice(0, colon), said: new URLSearchParams(query),
      asked: unit, unit: /^\d{1,9}$/.test(unit) ? Number(unit) : null };
  }

  function split(text, mark) {
    const place = text.indexOf(mark);
    return place < 0 ? [text, ""] : [text.slice(0, place), text.slice(place + 1)];
  }

  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  // What is null is left out.
  function fragment(path, options = {}) {
    const said = Object.entries(options).filter(([, value]) => value !== null && value !== undefined && value !== "");
    const query = said.map(([key, value]) => key + "=" + encodeURIComponent(value)).join("&");
    return "#" + path + (query ? "?" + query : "");
  }

  const layerHref = (slug, options) => "layer.html" + fragment(encodeURIComponent(slug), options);
  const unitHref = (slug, unit, options) => "unit.html" + fragment(encodeURIComponent(slug) + ":" + unit, options);

  // Half a pixel of the tile is cut off on each side: scaled, it would take on its neighbour's colour.
  function paint(place, sheets, index) {
    const { columns, rows, tile } = sheets, each = columns * rows, i = index % each;
    const share = (k, n) => (100 * (k * tile + 0.5)) / (n * tile - (tile - 1)) + "%";
    place.style.backgroundImage = 'url("' + address(fileOf(sheets, index)) + '")';
    place.style.backgroundSize = [columns, rows].map((n) => (100 * n * tile) / (tile - 1) + "%").join(" ");
    place.style.backgroundPosition = share(i % columns, columns) + " " + share(Math.floor(i / columns), rows);
  }

  const fileOf = ({ columns, rows, files }, index) => files[Math.floor(index / (columns * rows))];

  // A small picture of a unit; a hatched square where there is none. Without a label it is for the eye alone.
  function tileOf(layer, place, label, variant = "positive") {
    const made = element("span", { class: "tile", ...(label ? { role: "img", "aria-label": label }
      : { "aria-hidden": "true" }) });
    const sheets = layer && layer.sprites[variant];
    if (sheets && place >= 0 && fileOf(sheets, place)) paint(made, sheets, place);
    else made.classList.add("none");
    return made;
  }

  // A unit as a card that leads to its page: what is said below it stands in lines.
  function card(parent, { slug, unit, title, lines }) {
    const layer = layerOf(slug), place = layer ? placeOf(layer, unit) : -1, item = element("li", {}, parent);
    const made = element(place < 0 ? "span" : "a", { class: "card" }, item);
    if (place >= 0) made.href = unitHref(slug, unit);
    made.append(tileOf(layer, place, ""));
    element("span", { class: "name" }, made, title);
    lines.filter(Boolean).forEach((line) => element("span", { class: "about" }, made, line));
    return item;
  }

  const count = (n) => n.toLocaleString("en");
  const plural = (n, word) => count(n) + " " + word + (n === 1 ? "" : "s");
  const shape = (layer) => layer.shape.map(count).join(" × ");

  // "3 dead, 1 failed": what is not as it should be.
  function faults(counts) {
    return STATUSES.slice(1).filter((status) => counts[status])
      .map((status) => count(counts[status]) + " " + WORDS[status]).join(", ");
  }

  function standing(percentile, n) {
    if (percentile === null || percentile === undefined) return "";
    const photographs = n ? plural(n, "photograph") : "the photographs";
    if (percentile >= 100) return "above all " + (n ? "of " : "") + photographs;
    if (percentile <= 0) return "below all " + (n ? "of " : "") + photographs;
    const share = percentileOf(percentile).replace("over", "more than").replace("under", "less than");
    return "above " + share + "\u00a0% of " + photographs;
  }

  // 99.97 must not read as 100.
  function percentileOf(value) {
    if (value >= 100 || value <= 0) return number(value);
    const digits = value > 99 || value < 1 ? 2 : 1, text = value.toFixed(digits);
    return Number(text) >= 100 ? "over 99.99" : Number(text) <= 0 ? "under 0.01" : text.replace(/\.?0+$/, "");
  }

  // A link of the data's, as long as it leads into this folder; else null.
  const within = (href) => (/^[a-z][a-z0-9+.-]*:|^[/\\]/i.test(href) ? null : href);

  function complain(error) {
    at("problem").textContent = error.message;
    at("problem").hidden = false;
  }

  const sayMissing = (text) => {
    at("missing").textContent = text;
    at("missing").hidden = !text;
  };

  phosphene.atlas = {
    STATUSES, WORDS, REASONS, UNREADABLE, open, layerOf, numbers, ofVariant, changed, entry, placeOf, unitAt, parse,
    fragment, layerHref, unitHref, paint, fileOf, tileOf, card, count, plural, shape, faults, standing, percentileOf, within,
    complain, sayMissing, all: () => atlas,
  };
})();
