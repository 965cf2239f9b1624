"use strict";
// The controls above the pairs.
(() => {
  const { at, element } = phosphene;
  const { WAYS, SORTS } = phosphene.pairs;
  const SIZES = { s: "small", m: "middle", l: "large" };
  const VARIANTS = { positive: "most", negative: "least" };

  // heard: go(changes), turn().
  function build(atlas, { go, turn }) {
    for (const one of atlas.layers) element("option", { value: one.slug }, at("layer"), one.name);
    at("layer").addEventListener("change", () => go({ slug: at("layer").value, unit: null }));
    at("sort").addEventListener("change", () => go({ sort: at("sort").value, isUp: null }));
    at("order").addEventListener("click", turn);
  }

  function showSteps(atlas, layer, hrefOf) {
    const place = atlas.layers.indexOf(layer);
    for (const [id, one] of [["previous", atlas.layers[place - 1]], ["next", atlas.layers[place + 1]]]) {
      at(id).hidden = !one;
      if (!one) continue;
      at(id).textContent = id === "next" ? one.name + " →" : "← " + one.name;
      at(id).href = hrefOf(one.slug);
    }
  }

  function show({ atlas, state, ways, variants }, go) {
    const sorts = state.by ? phosphene.pairs.sorts(ways[state.by]) : ["index"];
    at("layer").value = state.slug;
    at("sort").replaceChildren(...sorts.map((sort) => element("option", { value: sort }, null, SORTS[sort].name)));
    at("sort").value = state.sort;
    at("order").textContent = state.isUp ? "↑" : "↓";
    at("order").setAttribute("aria-label", state.isUp ? "rising; turn round" : "falling; turn round");
    tabs("by", { name: "by", options: Object.keys(ways).map((way) => [way, WAYS[way]]), state, go });
    tabs("variants", { name: "variant", options: variants.map((name) => [name, VARIANTS[name]]), state, go });
    tabs("sizes", { name: "size", options: Object.entries(SIZES), state, go });
  }

  // Made anew only where the options change, so that the keyboard keeps its place.
  function tabs(id, { name, options, state, go }) {
    const place = at(id);
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

  phosphene.compareTools = { SIZES, VARIANTS, build, show, showSteps };
})();
