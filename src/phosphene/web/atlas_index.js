"use strict";
// The contents of the atlas: its layers in their order, each with a mosaic of its units; or what a search found.
(() => {
  const { at, element, address } = phosphene;
  const { plural, count, faults, layerHref, parse, complain } = phosphene.atlas;
  const SHAPE = 4, COLUMNS = 16; // of a mosaic at most: its width over its height, and units in a row
  const WIDEST = 7.5; // a unit of few, in rem
  const WAYS = { positive: "most", negative: "least", diverse: "in several ways" };
  let atlas = null, round = 0;

  async function start() {
    atlas = await phosphene.atlas.open();
    document.title = atlas.title;
    at("title").textContent = atlas.title;
    at("about").textContent = about();
    atlas.layers.forEach((layer) => addLayer(layer));
    addActivations();
    addImageSearch();
    at("foot").textContent = foot();
    phosphene.head.key({ keys: ["r"], about: "a random unit", run: random },
      { keys: ["j"], about: "next layer", run: () => step(1) },
      { keys: ["k"], about: "layer before", run: () => step(-1) });
    addEventListener("hashchange", () => apply().catch(complain));
    await apply();
    at("main").hidden = false;
  }

  function about() {
    const { network, layers, variants } = atlas, units = layers.reduce((sum, layer) => sum + layer.n_units, 0);
    const name = network.name === atlas.title ? "" : network.name + ": ";
    const what = name + plural(units, "unit") + " of " + plural(layers.length, "layer"), n = atlas.n_ok;
    const ways = variants.map((variant) => WAYS[variant]).join(" or ");
    const said = n ? what + " in " + plural(n, "picture") + ", each of what drives a unit of the network"
      + (variants.length > 1 ? ", " : " ") + ways + "."
      : what + "; there is no picture of them.";
    const are = atlas.n_missing === 1 ? "is" : "are";
    const lost = [[atlas.n_failed, "could not be drawn"], [atlas.n_missing, are + " not drawn yet"]]
      .filter(([n]) => n).map(([n, word]) => count(n) + " " + word);
    return said + (lost.length ? " Of the pictures planned, " + lost.join(" and ") + "." : "");
  }

  function foot() {
    const size = atlas.network.input_size.join(" × ");
    return "Weights " + atlas.network.digest.slice(0, 12) + ", input " + size + ". Made with phosphene "
      + atlas.phosphene + (atlas.created ? ", " + atlas.created.slice(0, 10) : "") + ". Units count from 0.";
  }

  function addLayer(layer) {
    const link = element("a", { href: layerHref(layer.slug), class: "layer" }, element("li", {}, at("layers")));
    const words = element("span", { class: "layer-words" }, link);
    element("span", { class: "layer-name" }, words, layer.name);
    element("span", { class: "about" }, words, layer.type + ", " + phosphene.atlas.shape(layer));
    const units = layer.label_layer ? count(layer.n_units) + " classes" : plural(layer.n_units, "unit");
    const whole = layer.n_units < layer.n_channels ? " of " + count(layer.n_channels) : "";
    element("span", { class: "about" }, words, units + whole);
    const wrong = faults(layer.counts);
    if (wrong) element("span", { class: "about fault" }, words, wrong);
    const place = element("span", { class: "mosaic" }, link);
    if (!layer.mosaic) return place.classList.add("none");
    const { file, width, height } = layer.mosaic;
    const image = element("img", { src: address(file), alt: "", width, height, loading: "lazy" }, place);
    // Whole rows, of the sixteen columns that a mosaic has; of fewer units it is one row, of tiles not too large.
    const columns = Math.min(COLUMNS, layer.n_units);
    if (columns < COLUMNS) image.style.maxWidth = columns * WIDEST + "rem";
    else if (width < SHAPE * height) image.style.aspectRatio = SHAPE;
    place.classList.toggle("few", columns < COLUMNS);
  }

  function addActivations() {
    at("activations-part").hidden = !atlas.activations.length;
    for (const { layer, href } of atlas.activations) {
      const link = phosphene.atlas.within(href);
      if (link) element("a", { href: link }, element("li", {}, at("activations")), layer);
    }
  }

  function addImageSearch() {
    at("image-part").hidden = !(atlas.server && atlas.image_search);
    at("image").addEventListener("change", () => searchImage(at("image").files[0]));
    at("image-part").addEventListener("submit", (event) => event.preventDefault());
  }

  async function searchImage(file) {
    if (!file) return;
    at("image-said").textContent = "Asking the network …";
    try {
      const found = await phosphene.search.byImage(file);
      at("image-said").textContent = "";
      show("What " + file.name + " drives most", found);
    } catch (error) {
      at("image-said").textContent = error.message;
    }
  }

  async function apply() {
    const mine = ++round, words = parse(location.hash).said.get("q");
    const found = words ? await phosphene.search.find(words) : null;
    if (mine !== round) return;
    at("problem").hidden = true;
    phosphene.head.build(atlas, found ? [["“" + words + "”", ""]] : []);
    document.title = (found ? "“" + words + "” – " : "") + atlas.title;
    at("contents").hidden = Boolean(found);
    at("results-part").hidden = !found;
    if (!found) return;
    at("search").value = words;
    show(plural(found.length, "result") + " for “" + words + "”", found);
  }

  function show(title, found) {
    at("results-part").hidden = false;
    at("results-title").textContent = title;
    at("results").replaceChildren();
    const kinds = [["unit", "Units"], ["layer", "Layers"], ["class", "Classes"],
      ["photograph", "Driven by the photograph"], ["image", "Units"]];
    for (const [kind, name] of kinds) {
      const own = found.filter((result) => result.kind === kind);
      if (!own.length) continue;
      element("h3", {}, at("results"), name);
      phosphene.search.list(at("results"), own);
    }
    if (!found.length) element("p", { class: "note" }, at("results"),
      "Try an address such as " + atlas.layers[0]?.name + ":" + 0 + ", a class, a layer, or the name of a photograph.");
    at("live").textContent = title;
  }

  function random() {
    const sizes = atlas.layers.map((layer) => layer.n_units);
    let place = Math.floor(Math.random() * sizes.reduce((sum, n) => sum + n, 0));
    const layer = atlas.layers.find((_, i) => place < sizes[i] || ((place -= sizes[i]), false));
    if (layer) location.href = phosphene.atlas.unitHref(layer.slug, phosphene.atlas.unitAt(layer, place));
  }

  function step(way) {
    const links = [...at("layers").querySelectorAll("a")], place = links.indexOf(document.activeElement);
    links[place < 0 ? (way > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, place + way))]?.focus();
  }

  start().catch(complain);
})();
