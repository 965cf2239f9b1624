"use strict";
// One pair of units, large.
(() => {
  const { at, element, number, load } = phosphene;
  const { STATUSES, WORDS, REASONS, unitAt, unitHref, standing } = phosphene.atlas;
  let round = 0;

  const addressOf = (layer, place) => layer.name + ":" + unitAt(layer, place);

  // sides: for each atlas { atlas, layer, place, numbers, prefix, folder }, or null where there is no unit.
  function show(sides, { title, about, variant }) {
    const mine = ++round;
    at("pair-title").textContent = title;
    at("pair-about").textContent = about;
    ["side-a", "side-b"].forEach((id, i) => {
      const figure = at(id), side = sides[i];
      figure.replaceChildren();
      if (!side) return element("div", { class: "nothing" }, figure, "This atlas has no such unit.");
      const picture = element("div", { class: "picture" }, figure), word = side.numbers.status[side.place];
      picture.append(word ? nothing(STATUSES[word])
        : phosphene.atlas.tileOf(side.layer, side.place, said(side), variant));
      caption(figure, side);
      large(side, variant).then((found) => {
        if (mine === round && found) enlarge(picture, found, side);
      }).catch(() => {}); // the small picture stays
    });
  }

  const said = ({ layer, place, atlas }) => addressOf(layer, place) + " of " + atlas.title;

  function nothing(status) {
    const made = element("div", { class: "nothing" });
    element("b", {}, made, WORDS[status] ?? status);
    element("span", {}, made, REASONS[status] ?? "");
    return made;
  }

  function caption(figure, side) {
    const { atlas, layer, place, numbers } = side, made = element("figcaption", {}, figure);
    const label = numbers.label ? numbers.label[place] : "";
    const name = addressOf(layer, place) + (label ? ", " + label : "");
    element("span", { class: "soft" }, made, atlas.title);
    if (side.prefix) element("b", {}, made, name);
    else element("a", { href: unitHref(layer.slug, unitAt(layer, place)) }, element("b", {}, made), name);
    const place_ = numbers.percentile ? standing(numbers.percentile[place], 0) : "", score = numbers.score[place];
    if (score !== null) element("span", {}, made, "score " + number(score) + (place_ ? ", " + place_ : ""));
  }

  // The entry of the unit, where the site has it.
  async function large({ layer, place, prefix, folder }, variant) {
    const part = Math.floor(place / layer.chunk);
    const units = await load(prefix + "units/" + layer.slug + "/" + part,
      folder + "/" + layer.slug + "/units-" + part + ".js");
    const unit = units[place % layer.chunk];
    if (unit && unit.unit !== unitAt(layer, place)) throw phosphene.atlas.changed();
    return unit && unit.pictures.find((picture) => picture.variant === variant);
  }

  function enlarge(place, { src, width, height, status, reason }, side) {
    if (src) place.replaceChildren(element("img", { src, width, height, alt: said(side),
      class: Math.max(width, height) < 48 ? "small" : null }));
    else {
      place.replaceChildren(nothing(status === "ok" ? "damaged" : status));
      if (reason) place.querySelector("span").textContent = reason;
    }
  }

  phosphene.pair = { show, addressOf };
})();
