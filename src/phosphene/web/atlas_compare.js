"use strict";
// Two atlases side by side, layer by layer:
//   compare.html#blocks.8:7?by=answers&sort=r&order=up&variant=negative&size=l      (:7 opens that unit's pair)
(() => {
  const { at, load } = phosphene;
  const { layerOf, numbers, unitAt, placeOf, parse, fragment, complain, sayMissing, count } = phosphene.atlas;
  const { SORTS } = phosphene.pairs;
  const { SIZES, VARIANTS } = phosphene.compareTools;
  let atlas = null, other = null, layer = null, ways = null, known = null, state = null, shown = [], list = null;
  let round = 0, asked = null;

  async function start() {
    atlas = await phosphene.atlas.open();
    other = atlas.compare;
    if (!other) return showNothing();
    phosphene.head.build(atlas, [["beside " + other.title, ""]], { beside: true });
    phosphene.compareTools.build(atlas, { go, turn: () => go({ isUp: !state.isUp }) });
    at("pair").addEventListener("close", closed);
    at("pair").addEventListener("click", (event) => event.target === at("pair") && at("pair").close());
    at("pair-previous").addEventListener("click", () => step(-1));
    at("pair-next").addEventListener("click", () => step(1));
    at("pair").addEventListener("keydown", stepped);
    list = phosphene.pairList.build(at("pairs"), {
      about: (pair) => words().about(pair, hrefOf({ ...state, unit: unitOf(pair) })),
      open: (index) => go({ unit: unitOf(shown[index]) }),
    });
    addEventListener("popstate", arrive);
    addEventListener("hashchange", arrive);
    phosphene.head.key({ keys: ["n"], about: "next layer, or pair", run: () => follow("next") },
      { keys: ["p"], about: "layer or pair before", run: () => follow("previous") },
      { keys: ["r"], about: "a random pair", run: random },
      { keys: ["u"], about: "up, to the contents", run: () => { location.href = "index.html"; } });
    await apply();
  }

  function showNothing() {
    at("main").hidden = false;
    at("tools").hidden = at("pairs").hidden = true;
    at("title").textContent = "Nothing to compare with";
    at("about").textContent = "This atlas stands alone. Name a second one when you serve or export it.";
    phosphene.head.build(atlas, [["Comparison", ""]]);
  }

  // A step back fires both events; once is enough.
  function arrive() {
    if (location.hash !== asked) apply().catch(complain);
  }

  async function apply() {
    const mine = ++round, { slug, said, unit, asked: wanted } = parse(location.hash), wished = layerOf(slug);
    asked = location.hash;
    const found = wished || atlas.layers[0], before = layer;
    const pairs = phosphene.pairs.ways(found, await load("compare/" + found.slug, "compare/" + found.slug + ".js"),
      other.layers);
    const numbersFound = await numbersOf(found, pairs);
    if (mine !== round) return;
    [layer, ways] = [found, pairs];
    state = { slug: layer.slug, ...settled(said), unit: unit !== null && placeOf(layer, unit) >= 0 ? unit : null };
    known = ofVariant(numbersFound, state.variant);
    const lost = slug && !wished ? "layer “" + slug + "”" : wanted && state.unit === null ? "unit " + wanted : "";
    sayMissing(lost ? "There is no " + lost + " here. This is " + layer.name + "." : lostWay(said.get("by")));
    show();
    if (before !== null && before !== layer) scrollTo(0, 0);
  }

  // The numbers of the layer, and of the other atlas's layers that its units are paired with, by their slugs.
  async function numbersOf(found, pairs) {
    const slugs = new Set(Object.values(pairs).flat().flatMap((pair) => (pair.other ? [pair.other.slug] : [])));
    const right = await Promise.all([...slugs].map(async (slug) =>
      [slug, await load("other/layer/" + slug, "other/" + slug + "/layer.js")]));
    return { left: await numbers(found.slug), right: new Map(right) };
  }

  function ofVariant({ left, right }, variant) {
    const own = (found) => phosphene.atlas.ofVariant(found, variant);
    return { left: own(left), right: new Map([...right].map(([slug, found]) => [slug, own(found)])) };
  }

  // What is said of a way of pairing that is asked for and that the layer does not have.
  function lostWay(by) {
    if (!(by in phosphene.pairs.WAYS) || by in ways) return "";
    return "Units of " + layer.name + " cannot be paired " + phosphene.pairs.WAYS[by]
      + (by === "unit" ? ": " + other.title + " has no such layer." : ": no answers of the two were compared.");
  }

  function settled(said) {
    const there = Object.keys(ways), by = there.includes(said.get("by")) ? said.get("by") : there[0] ?? null;
    const sorts = by ? phosphene.pairs.sorts(ways[by]) : ["index"], sort = said.get("sort");
    const size = said.get("size"), chosen = sorts.includes(sort) ? sort : "index";
    const isUp = SORTS[chosen].up ? said.get("order") !== "down" : said.get("order") === "up";
    return { by, sort: chosen, isUp, size: size in SIZES ? size : "m",
      variant: variants().includes(said.get("variant")) ? said.get("variant") : "positive" };
  }

  const variants = () => Object.keys(VARIANTS).filter((name) =>
    layer.sprites[name] && other.layers.some(({ sprites }) => sprites[name]));

  // As it is written in an address: what goes without saying is not.
  function hrefOf(wished) {
    const { slug, unit, by, sort, isUp, size, variant } = wished, usual = Object.keys(ways)[0];
    const options = { by: by === usual ? null : by, sort: sort === "index" ? null : sort,
      order: isUp === Boolean(SORTS[sort].up) ? null : isUp ? "up" : "down",
      variant: variant === "positive" ? null : variant, size: size === "m" ? null : size };
    return fragment(encodeURIComponent(slug) + (unit === null ? "" : ":" + unit), options);
  }

  function go(changes, { isStep = true } = {}) {
    const wished = { ...state, ...changes };
    if (wished.isUp === null) wished.isUp = Boolean(SORTS[wished.sort].up);
    const href = hrefOf(wished);
    if (href !== location.hash) history[isStep ? "pushState" : "replaceState"](null, "", href);
    apply().catch(complain);
  }

  function show() {
    at("main").hidden = false;
    at("problem").hidden = true;
    document.title = layer.name + " – " + atlas.title + " and " + other.title;
    const key = JSON.stringify({ ...state, unit: null });
    if (at("pairs").dataset.key !== key) {
      at("pairs").dataset.key = key;
      phosphene.head.build(atlas, [[layer.name, phosphene.atlas.layerHref(layer.slug)], ["beside " + other.title, ""]],
        { beside: true });
      at("title").textContent = layer.name;
      phosphene.compareTools.showSteps(atlas, layer, (slug) => hrefOf({ ...state, slug, unit: null }));
      phosphene.compareTools.show({ atlas, state, ways, variants: variants() }, go);
      showPairs();
    }
    showPair();
  }

  function showPairs() {
    shown = state.by ? phosphene.pairs.ordered(ways[state.by], state, known) : [];
    const twin = state.by === "unit" && ways.unit[0] ? ways.unit[0].other.name : layer.name;
    const both = twin === layer.name ? "" : ", of " + layer.name + " and " + twin;
    at("about").textContent = "Left " + atlas.title + ({ unit: ", right " + other.title
      + ": units with the same number" + both, answers: ", right the unit of " + other.title
      + " whose answers to the same photographs go with it most" }[state.by] ?? "") + ".";
    at("shown").textContent = shown.length === layer.n_units ? "" : count(shown.length) + " of " + count(layer.n_units);
    at("empty").hidden = shown.length > 0;
    at("empty").textContent = other.title + " has no layer of this name and number of units, and no answers of the two "
      + "to the same photographs were compared.";
    const isValued = state.sort !== "index" || shown.some(({ r }) => r !== null);
    list.show(shown, { size: state.size, variant: state.variant, layer, isValued });
  }

  const unitOf = (pair) => unitAt(layer, pair.a);
  const words = () => phosphene.pairWords({ atlas, other, layer, known, state });
  const chosen = () => (state.unit === null ? -1 : shown.findIndex((pair) => unitOf(pair) === state.unit));

  function showPair() {
    const index = chosen(), pair = shown[index], box = at("pair");
    if (!pair) {
      if (state.unit !== null) sayMissing(layer.name + ":" + state.unit + " has no partner in " + other.title + ".");
      return box.open && box.close();
    }
    phosphene.pair.show(words().sides(pair), { title: words().names(pair).join(" and "), variant: state.variant,
      about: pair.r === null ? "" : "Their answers to the same photographs correlate with r "
        + pair.r.toFixed(3).replace("-", "−") + "." });
    at("pair-previous").disabled = index <= 0;
    at("pair-next").disabled = index >= shown.length - 1;
    if (!box.open) box.showModal();
    else at("live").textContent = at("pair-title").textContent;
  }

  function closed() {
    const index = chosen();
    if (index < 0) return;
    go({ unit: null }, { isStep: false });
    list.stand(index);
  }

  function step(way) {
    const pair = shown[chosen() + way];
    if (pair) go({ unit: unitOf(pair) }, { isStep: false });
  }

  function stepped(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { ArrowRight: 1, n: 1, ArrowLeft: -1, p: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    step(way);
  }

  function follow(id) {
    if (!at(id).hidden) location.href = at(id).href;
  }

  function random() {
    if (shown.length) go({ unit: unitOf(shown[Math.floor(Math.random() * shown.length)]) });
  }

  start().catch(complain);
})();
