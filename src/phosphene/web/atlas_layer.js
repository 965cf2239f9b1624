"use strict";
// A layer: the grid of its units, in the order and of the kind that the address says.
//   layer.html#blocks.8?sort=score&order=up&status=dead&variant=negative&size=l&at=120
(() => {
  const { at, element, number } = phosphene;
  const { STATUSES, WORDS, plural, count, layerOf, layerHref, unitHref, parse, complain, sayMissing } = phosphene.atlas;
  const SIZE_NAMES = { s: "small", m: "middle", l: "large" };
  const VARIANT_NAMES = { positive: "most", negative: "least", diverse: "several ways" };
  let atlas = null, layer = null, state = null, grid = null, round = 0, asked = null;
  let known = null, numbers = null; // as the layer's file has them, and by the variant that is shown

  async function start() {
    history.scrollRestoration = "manual";
    atlas = await phosphene.atlas.open();
    at("sort").addEventListener("change", () => go({ sort: at("sort").value, isUp: null }));
    at("order").addEventListener("click", () => go({ isUp: !state.isUp }));
    at("status").addEventListener("change", () => go({ status: at("status").value || null }));
    grid = phosphene.grid.build(at("grid"), { about: aboutUnit, settled: stay });
    addEventListener("pagehide", () => grid.settle());
    addEventListener("hashchange", () => {
      if (location.hash !== asked) apply().catch(complain);
    });
    phosphene.head.key(
      { keys: ["ArrowRight", "ArrowLeft"], about: "to the units; arrows move among them", run: enter },
      { keys: ["n"], about: "next layer", run: () => follow("next") },
      { keys: ["p"], about: "layer before", run: () => follow("previous") },
      { keys: ["r"], about: "a random unit of this layer", run: random },
      { keys: ["+"], about: "larger pictures", run: () => resize(1) },
      { keys: ["-"], about: "smaller pictures", run: () => resize(-1) },
      { keys: ["u"], about: "up, to the contents", run: () => { location.href = "index.html"; } });
    await apply();
  }

  // Up and down scroll the page until the keyboard is among the units.
  const enter = () => at("grid").querySelector('a[tabindex="0"]')?.focus({ preventScroll: true });

  async function apply() {
    const mine = ++round, { slug, said } = parse(location.hash), wished = layerOf(slug) || atlas.layers[0];
    asked = location.hash;
    sayMissing(layerOf(slug) || !slug ? "" : "There is no layer “" + slug + "” here. This is " + wished.name + ".");
    const found = await phosphene.atlas.numbers(wished.slug);
    if (mine !== round) return;
    if (layer) at("live").textContent = wished.name;
    [layer, known] = [wished, found];
    const size = said.get("size");
    state = { ...phosphene.order.settle(said, known), size: size in SIZE_NAMES ? size : "m" };
    show();
    const unit = /^\d{1,9}$/.test(said.get("at") ?? "") ? Number(said.get("at")) : null;
    if (unit === null || !grid.reveal(phosphene.atlas.placeOf(layer, unit))) scrollTo(0, 0);
  }

  function show() {
    numbers = phosphene.atlas.ofVariant(known, state.variant);
    at("main").hidden = false;
    at("problem").hidden = true;
    document.title = layer.name + " – " + atlas.title;
    phosphene.head.build(atlas, [[layer.name, ""]]);
    at("title").textContent = layer.name;
    at("about").textContent = about();
    showWays();
    showSteps();
    showTools();
    const places = phosphene.order.places(known, state);
    const isAll = places.length === layer.n_units;
    at("shown").textContent = isAll ? "" : count(places.length) + " of " + count(layer.n_units);
    at("empty").hidden = places.length > 0;
    grid.show(places, { size: state.size, sheets: layer.sprites[state.variant], head });
  }

  const head = () => (getComputedStyle(at("tools")).position === "sticky" ? at("tools").offsetHeight + 8 : 0);

  function about() {
    const some = layer.n_units < layer.n_channels ? " of " + count(layer.n_channels) : "";
    const counts = STATUSES.map((status, code) => [status, numbers.status.filter((found) => found === code).length]);
    const wrong = phosphene.atlas.faults(Object.fromEntries(counts));
    return layer.type + ", " + phosphene.atlas.shape(layer) + ". " + plural(layer.n_units, "unit") + some
      + (wrong ? "; " + wrong : "") + "." + (numbers.is_whole ? "" : " " + phosphene.atlas.UNREADABLE);
  }

  function showWays() {
    at("ways").replaceChildren();
    for (const { href } of atlas.activations.filter((found) => found.slug === layer.slug)) {
      const link = phosphene.atlas.within(href);
      if (link) element("a", { href: link }, at("ways"), "Activation atlas of this layer");
    }
    if (atlas.compare) element("a", { href: "compare.html" + phosphene.atlas.fragment(encodeURIComponent(layer.slug)) },
      at("ways"), "Beside " + atlas.compare.title);
  }

  function showSteps() {
    const place = atlas.layers.indexOf(layer);
    for (const [id, other] of [["previous", atlas.layers[place - 1]], ["next", atlas.layers[place + 1]]]) {
      at(id).hidden = !other;
      if (!other) continue;
      at(id).textContent = id === "next" ? other.name + " →" : "← " + other.name;
      at(id).href = layerHref(other.slug, { ...options(), at: null, status: null });
    }
  }

  function showTools() {
    const { SORTS, sorts } = phosphene.order;
    choices(at("sort"), sorts(numbers).map((sort) => [sort, SORTS[sort].name]), state.sort);
    at("order").textContent = state.isUp ? "↑" : "↓";
    at("order").setAttribute("aria-label", state.isUp ? "rising; turn round" : "falling; turn round");
    at("order").title = state.isUp ? "rising" : "falling";
    const there = STATUSES.filter((_, code) => numbers.status.includes(code));
    at("status-part").hidden = there.length < 2 && !state.status;
    const listed = STATUSES.filter((status) => there.includes(status) || status === state.status);
    choices(at("status"), [["", "all"], ...listed.map((status) => [status, WORDS[status]])], state.status ?? "");
    tabs(at("variants"), "variant", Object.keys(layer.sprites).map((name) => [name, VARIANT_NAMES[name] ?? name]));
    tabs(at("sizes"), "size", Object.entries(SIZE_NAMES));
  }

  function choices(select, options, chosen) {
    select.replaceChildren(...options.map(([value, name]) => element("option", { value }, null, name)));
    select.value = chosen;
  }

  // Made anew only where the options change, so that the keyboard keeps its place.
  function tabs(place, name, options) {
    place.hidden = options.length < 2;
    if (place.dataset.options !== JSON.stringify(options)) {
      place.dataset.options = JSON.stringify(options);
      place.querySelectorAll("label").forEach((label) => label.remove());
      for (const [value, text] of options) {
        const label = element("label", {}, place), input = element("input", { type: "radio", name, value }, label);
        input.addEventListener("change", () => go({ [name]: value }));
        element("span", {}, label, text);
      }
    }
    place.querySelectorAll("input").forEach((input) => { input.checked = input.value === state[name]; });
  }

  function options() {
    return { ...phosphene.order.said(state), size: state.size === "m" ? null : state.size };
  }

  function go(changes) {
    const wished = { ...state, ...changes }, there = phosphene.atlas.ofVariant(known, wished.variant);
    if (!phosphene.order.sorts(there).includes(wished.sort)) Object.assign(wished, { sort: "index", isUp: null });
    if (wished.isUp === null) wished.isUp = Boolean(phosphene.order.SORTS[wished.sort].up);
    state = wished;
    history.pushState(null, "", layerHref(layer.slug, options()));
    asked = location.hash;
    const isBelow = at("tools").getBoundingClientRect().top <= 0;
    show();
    if (isBelow) at("grid").scrollIntoView();
    at("live").textContent = at("shown").textContent || plural(layer.n_units, "unit");
  }

  // The address keeps the unit on top, so that coming back, or a link, shows the same place.
  function stay(place) {
    const unit = place === null ? null : numbers.unit[place], href = layerHref(layer.slug, { ...options(), at: unit });
    if (href.slice(href.indexOf("#")) === location.hash) return;
    history.replaceState(null, "", href);
    asked = location.hash;
  }

  function aboutUnit(place) {
    const unit = numbers.unit[place], status = STATUSES[numbers.status[place]] ?? "failed";
    const label = numbers.label ? numbers.label[place] : "", value = valueOf(place);
    const more = status === "ok" ? value && SAID[state.sort] + " " + value : WORDS[status];
    const isDrawn = status === "ok", href = unitHref(layer.slug, unit, phosphene.order.said(state));
    return { href, name: label || String(unit), value, isDrawn, word: WORDS[status],
      title: [layer.name + ":" + unit, label, more].filter(Boolean).join(", ") };
  }

  const SAID = { score: "score", robust: "robust score", percentile: "percentile", multiple: "× best photograph:" };

  function valueOf(place) {
    if (!(state.sort in SAID)) return "";
    const value = numbers[state.sort][place];
    return state.sort === "percentile" && value !== null ? phosphene.atlas.percentileOf(value) : number(value);
  }

  function follow(id) {
    if (!at(id).hidden) location.href = at(id).href;
  }

  function random() {
    const place = Math.floor(Math.random() * layer.n_units);
    location.href = unitHref(layer.slug, numbers.unit[place], phosphene.order.said(state));
  }

  function resize(way) {
    const sizes = Object.keys(SIZE_NAMES), size = sizes[sizes.indexOf(state.size) + way];
    if (size) go({ size });
  }

  start().catch(complain);
})();
