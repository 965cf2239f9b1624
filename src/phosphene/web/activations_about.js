"use strict";
// What the maps were made of and how, in words.
(() => {
  const { element } = phosphene;

  function build(page, parent) {
    page.maps.forEach((map) => {
      const about = element("section", { class: "about" }, parent);
      const title = element("h3", {}, about, map.layer + " ");
      element("span", { class: "soft" }, title, "of " + map.network);
      const n = count(map.n_activations, "activation") + " of " + count(map.n_images, "photograph") + ".";
      element("p", {}, about, n);
      const details = element("details", {}, about);
      element("summary", {}, details, "How it was made");
      const table = element("table", {}, details);
      for (const [name, value] of [...map.settings, ["weights, SHA-256", map.digest]]) {
        const row = element("tr", {}, table);
        element("th", { scope: "row" }, row, name);
        element("td", {}, row, value);
      }
    });
  }

  const count = (n, name) => n.toLocaleString("en") + " " + name + (n === 1 ? "" : "s");

  phosphene.about = { build };
})();
