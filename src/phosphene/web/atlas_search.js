"use strict";
// Search by unit, layer, class and photograph. What the atlas's own data answer at once; names arrive when asked for.
(() => {
  const { element, number, load } = phosphene;
  const { all, layerOf, placeOf, layerHref, unitHref, tileOf } = phosphene.atlas;
  const N_UNITS = 200; // of one kind; more is no answer to a question
  const N_PHOTOGRAPHS = 12; // looked into; each may be in a file of its own

  // Best first: { kind, title, about, href, slug, unit }.
  async function find(words) {
    const wanted = folded(words.trim());
    if (!wanted) return [];
    const names = await load("search", "data/search.js");
    const shown = await photographs(wanted, names);
    return [...addresses(wanted), ...layers(wanted), ...labels(wanted, names), ...shown];
  }

  // As far as letters have cases, and ß is ss.
  const folded = (text) => text.toLowerCase().replaceAll("ß", "ss");
  // Every word of it is somewhere in the text.
  const has = (text, wanted) => wanted.split(/\s+/).every((word) => folded(text).includes(word));

  // "blocks.8:7", "blocks.8 7" or, of every layer that has it, "7".
  function addresses(wanted) {
    const found = /^(?:(.*?)[\s:/#]+)?(\d{1,9})$/.exec(wanted);
    if (!found) return [];
    const name = found[1] ?? "", unit = Number(found[2]);
    return all().layers.filter((layer) => folded(layer.name).includes(name) && placeOf(layer, unit) >= 0)
      .sort((a, b) => (folded(b.name) === name) - (folded(a.name) === name))
      .map((layer) => ofUnit("unit", layer, unit, layer.name + ":" + unit, "unit " + unit + " of " + layer.name));
  }

  function layers(wanted) {
    return all().layers.filter((layer) => has(layer.name, wanted)).map((layer) => ({
      kind: "layer", title: layer.name, about: layer.type + ", " + phosphene.atlas.plural(layer.n_units, "unit"),
      href: layerHref(layer.slug), slug: layer.slug, unit: phosphene.atlas.unitAt(layer, 0),
    }));
  }

  function labels(wanted, names) {
    const found = names.labels.filter(([, , label]) => has(label, wanted));
    found.sort((a, b) => rank(a[2], wanted) - rank(b[2], wanted));
    return units(found.slice(0, N_UNITS), names, (layer, unit, label) =>
      ofUnit("class", layer, unit, label, layer.name + ":" + unit));
  }

  const rank = (label, wanted) => folded(label).split(/[\s,]+/).includes(wanted) ? 0
    : folded(label).startsWith(wanted) ? 1 : 2;

  async function photographs(wanted, names) {
    const places = [...names.photographs.keys()].filter((i) => has(names.photographs[i], wanted));
    const made = await Promise.all(places.slice(0, N_PHOTOGRAPHS).map(async (i) => {
      const part = Math.floor(i / names.chunk), file = await load("search/" + part, "data/search-" + part + ".js");
      if (file.of !== names.of) throw phosphene.atlas.changed();
      return units(file.hits[i % names.chunk], names, (layer, unit, value) =>
        ofUnit("photograph", layer, unit, layer.name + ":" + unit,
          names.photographs[i] + " drives it to " + number(value)));
    }));
    return made.flat().slice(0, N_UNITS);
  }

  function units(rows, names, make) {
    return rows.map(([slug, unit, value]) => {
      const layer = layerOf(names ? names.layers[slug] : slug);
      return layer && placeOf(layer, unit) >= 0 ? make(layer, unit, value) : null;
    }).filter(Boolean);
  }

  const ofUnit = (kind, layer, unit, title, about) =>
    ({ kind, title, about, href: unitHref(layer.slug, unit), slug: layer.slug, unit });

  function list(place, found) {
    const made = element("ul", { class: "results" }, place);
    for (const { title, about, href, slug, unit } of found) {
      const link = element("a", { href }, element("li", {}, made)), layer = layerOf(slug);
      link.append(tileOf(layer, placeOf(layer, unit), ""));
      const words = element("span", {}, link);
      element("span", { class: "name" }, words, title);
      element("span", { class: "about" }, words, about);
    }
  }

  // The units that an image drives most, where a server can ask the network.
  async function byImage(file) {
    const answer = await fetch("api/search/image", { method: "POST", body: file });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(said.error || "The server refused the image (" + answer.status + ").");
    const rows = said.units.map((found) => [found.slug, found.unit, found]);
    return units(rows, null, (layer, unit, { label, value, percentile }) => {
      const address = layer.name + ":" + unit, place = phosphene.atlas.standing(percentile);
      const about = [label && address, "answers " + number(value), place].filter(Boolean).join(", ");
      return ofUnit("image", layer, unit, label || address, about);
    });
  }

  phosphene.search = { find, list, byImage };
})();
