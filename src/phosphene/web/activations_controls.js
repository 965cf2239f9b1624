"use strict";
// The controls above the maps.
(() => {
  const { at, element, view: geometry } = phosphene;
  const COUNTS = { size: "area", opacity: "opacity", nothing: "nothing" };
  const MIDDLE = [0.5, 0.5];

  // heard: go(changes), chooseClass(number or null), zoom(factor), whole(), leave().
  function build(page, sizes, heard) {
    const names = phosphene.state.COUNTS, { STEP } = phosphene.gestures;
    const grids = ["by zoom", ...sizes.map((size) => size + " × " + size)];
    at("grids").hidden = sizes.length < 2;
    radios("grids", grids, (i) => heard.go({ grid: i ? sizes[i - 1] : null }));
    radios("counts", names.map((name) => COUNTS[name]), (i) => heard.go({ counts: names[i] }));
    page.classes.forEach((name, i) => element("option", { value: i }, at("classes"), name));
    at("classes").parentElement.hidden = !page.classes.length;
    at("classes").addEventListener("change", () => {
      const { value } = at("classes");
      heard.chooseClass(value ? Number(value) : null);
    });
    at("leave").addEventListener("click", () => {
      heard.leave();
      at("maps").querySelector(".surface").focus({ preventScroll: true });
    });
    at("whole").addEventListener("click", heard.whole);
    at("closer").addEventListener("click", () => heard.zoom(STEP));
    at("farther").addEventListener("click", () => heard.zoom(1 / STEP));
  }

  function radios(name, options, choose) {
    options.forEach((text, i) => {
      const label = element("label", {}, at(name));
      element("input", { type: "radio", name, value: i }, label).addEventListener("change", () => choose(i));
      element("span", {}, label, text);
    });
  }

  const check = (name, i) => { at(name).querySelectorAll("input")[i].checked = true; };

  // klass: number of the chosen class, or null.
  function show({ state, sizes, klass }) {
    check("grids", state.grid === null ? 0 : sizes.indexOf(state.grid) + 1);
    check("counts", phosphene.state.COUNTS.indexOf(state.counts));
    at("classes").value = klass === null ? "" : String(klass);
    at("zoom").textContent = "× " + phosphene.number(Number(state.zoom.toFixed(1)));
    at("closer").disabled = geometry.zoomed(state, 1.01, MIDDLE, sizes).zoom === state.zoom;
    at("farther").disabled = state.zoom <= 1;
    at("whole").disabled = state.zoom <= 1;
    at("leave").hidden = !state.cell;
  }

  phosphene.controls = { build, show };
})();
