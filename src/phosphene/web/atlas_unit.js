"use strict";
// A unit: its pictures, how it answers photographs, what it is connected with, how to make its picture again.
//   unit.html#blocks.8:7?sort=score&picture=negative.0.0     (the order is that in which one came to it)
(() => {
  const { at, element, number, signed } = phosphene;
  const { STATUSES, REASONS, WORDS, layerOf, placeOf, unitAt, layerHref, unitHref, parse, complain } = phosphene.atlas;
  const NEIGHBOURS = [
    ["correlated", "Units that answer alike", "Correlation of their answers to photographs.", "r "],
    ["similar", "Units whose pictures look alike", "Likeness of the pictures to the layer itself.", ""],
    ["inputs", "Where it comes from", "Units before it, by the weight with which they reach it.", "weight "],
    ["outputs", "Where it goes", "Units after it, by the weight with which it reaches them.", "weight "],
  ];
  const NO_UNIT = { pictures: [], answers: null, examples: [], correlated: [], similar: [], inputs: [], outputs: [],
    command: "", label: "" };
  let atlas = null, layer = null, numbers = null, unit = null, state = null, order = null, round = 0, asked = null;
  let sorted = { way: null, places: [] };

  async function start() {
    atlas = await phosphene.atlas.open();
    phosphene.made.build();
    addEventListener("hashchange", () => {
      if (location.hash !== asked) apply().catch(complain);
    });
    const follow = (id) => () => at(id).hidden || at(id).click();
    phosphene.head.key({ keys: ["n", "ArrowRight"], about: "next unit", run: follow("next") },
      { keys: ["p", "ArrowLeft"], about: "unit before", run: follow("previous") },
      { keys: ["r"], about: "a random unit of this layer", run: follow("random") },
      { keys: ["v"], about: "its next picture", run: nextPicture },
      { keys: ["u"], about: "up, to the layer", run: () => { location.href = layerHref(layer.slug, back()); } });
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth !== width && unit) showPlate();
      width = innerWidth;
    });
    await apply();
  }

  async function apply() {
    const mine = ++round, { slug, asked: wanted, unit: number_, said } = parse(location.hash);
    asked = location.hash;
    const found = layerOf(slug) || atlas.layers[0];
    const place = layerOf(slug) && number_ !== null ? placeOf(found, number_) : -1, here = Math.max(0, place);
    const lost = !layerOf(slug) ? "layer “" + slug + "”" : "unit “" + wanted + "” of " + found.name;
    const [known, entry] = await Promise.all([phosphene.atlas.numbers(found.slug),
      phosphene.atlas.entry(found, here).catch((error) => ({ ...NO_UNIT, error }))]);
    if (mine !== round) return;
    const isNew = unit !== null;
    [layer, numbers] = [found, known];
    unit = { ...NO_UNIT, ...entry, unit: unitAt(layer, here), address: layer.name + ":" + unitAt(layer, here),
      hasPositions: layer.shape.length > 1 };
    state = { ...phosphene.order.settle(said, numbers), place: here, picture: said.get("picture") };
    order = ordered(here);
    const isLost = slug && place < 0 && "There is no " + lost + " in this atlas. This is " + unit.address + ".";
    phosphene.atlas.sayMissing(isLost || "");
    at("problem").hidden = !unit.error;
    if (unit.error) complain(unit.error);
    show(isNew);
  }

  // The way that one came by, as far as it leads through this unit. It is sorted once for all its units.
  function ordered(place) {
    const way = [layer.slug, state.sort, state.status, state.isUp, state.variant].join(" ");
    if (way !== sorted.way) sorted = { way, places: phosphene.order.places(numbers, state) };
    return sorted.places.includes(place) ? sorted.places : numbers.unit.map((_, i) => i);
  }

  function show(isNew) {
    at("main").hidden = false;
    document.title = unit.address + (unit.label ? ", " + unit.label : "") + " – " + atlas.title;
    phosphene.head.build(atlas, [[layer.name, layerHref(layer.slug, back())], [String(unit.unit), ""]]);
    at("title").replaceChildren();
    element("span", {}, at("title"), unit.label || layer.name);
    element("span", { class: "soft" }, at("title"), unit.label ? " " + unit.address : " : " + unit.unit);
    at("about").textContent = about();
    showWays();
    showSteps();
    showPlate();
    phosphene.plates.showExamples(unit, numbers.is_whole);
    showNeighbours();
    if (!isNew) return;
    scrollTo(0, 0);
    at("title").focus({ preventScroll: true });
  }

  const back = () => ({ ...phosphene.order.said(state), at: unit.unit });

  function about() {
    const status = STATUSES[numbers.status[state.place]] ?? "ok";
    const what = "Unit " + unit.unit + " of " + phosphene.atlas.count(layer.n_channels) + " in " + layer.name + ", "
      + layer.type + ".";
    if (status === "ok") return what;
    const main = unit.pictures.find((picture) => picture.status === status);
    return what + " " + (WORDS[status].charAt(0).toUpperCase() + WORDS[status].slice(1)) + ": "
      + ((main && main.reason) || REASONS[status]);
  }

  function showSteps() {
    const place = order.indexOf(state.place), sorted = state.sort === "index" ? "" : " by " + nameOfSort();
    for (const [id, other] of [["previous", order[place - 1]], ["next", order[place + 1]]]) {
      at(id).hidden = other === undefined;
      if (other === undefined) continue;
      at(id).href = hrefOf(other);
      at(id).title = layer.name + ":" + unitAt(layer, other) + sorted;
    }
    const others = order.length - 1, some = Math.floor(Math.random() * others);
    at("random").hidden = others < 1;
    if (others > 0) at("random").href = hrefOf(order[some >= place ? some + 1 : some]);
  }

  const nameOfSort = () => phosphene.order.SORTS[state.sort].name;
  const hrefOf = (place) => unitHref(layer.slug, unitAt(layer, place), phosphene.order.said(state));

  // The one that one came for; the address names every other.
  const usual = () => unit.pictures.find(({ variant }) => variant === state.variant) ?? unit.pictures[0];
  const picture = () => unit.pictures.find((found) => phosphene.plates.nameOf(found) === state.picture) ?? usual();

  function showPlate() {
    const shown = picture();
    phosphene.plates.showPlate(unit, shown);
    phosphene.plates.showOthers(unit, shown, choose);
    phosphene.made.show(unit, shown, atlas.recipes);
  }

  function choose(name) {
    state.picture = name === phosphene.plates.nameOf(usual()) ? null : name;
    history.replaceState(null, "", unitHref(layer.slug, unit.unit,
      { ...phosphene.order.said(state), picture: state.picture }));
    asked = location.hash;
    showPlate();
    at("live").textContent = at("plate").querySelector("figcaption").textContent + ", score " + number(picture().score);
    if (at("plate").getBoundingClientRect().top < 0) at("plate").scrollIntoView();
  }

  function nextPicture() {
    const names = unit.pictures.map(phosphene.plates.nameOf);
    if (names.length > 1) choose(names[(unit.pictures.indexOf(picture()) + 1) % names.length]);
  }

  function showNeighbours() {
    at("neighbours").replaceChildren();
    for (const [kind, title, said, word] of NEIGHBOURS) {
      const found = isLikeness(kind) ? unit[kind].filter((link) => link.strength > 0) : unit[kind];
      if (!found.length) continue;
      const part = element("section", { "data-kind": kind }, at("neighbours"));
      element("h2", {}, part, title);
      element("p", { class: "note" }, part, said);
      const list = element("ul", { class: "cards" }, part);
      for (const link of found) neighbour(list, link, word);
    }
  }

  // In a small layer the nearest may be no nearer than chance.
  const isLikeness = (kind) => kind === "correlated" || kind === "similar";

  function neighbour(list, link, word) {
    const isWeight = word === "weight ", strength = isWeight ? signed(link.strength) : number(link.strength);
    const address = link.slug === layer.slug ? "unit " + link.unit : link.layer + ":" + link.unit;
    const item = phosphene.atlas.card(list, { slug: link.slug, unit: link.unit, title: link.label || address,
      lines: [link.label && address, word + strength] });
    if (isWeight) item.classList.add(link.strength < 0 ? "minus" : "plus");
  }

  function showWays() {
    at("ways").replaceChildren();
    if (!atlas.compare) return;
    const href = "compare.html" + phosphene.atlas.fragment(encodeURIComponent(layer.slug) + ":" + unit.unit);
    element("a", { href }, at("ways"), "Beside " + atlas.compare.title);
  }

  start().catch(complain);
})();
