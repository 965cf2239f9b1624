"use strict";
// How a picture was made: its recipe, and the command that makes it again.
(() => {
  const { at, element, number } = phosphene;
  const SAID_MS = 2000;

  const build = () => at("copy").addEventListener("click", copy);

  // shown: the picture on the plate; undefined where there is none.
  function show(unit, shown, recipes) {
    const recipe = shown && recipes[shown.recipe];
    at("made-part").hidden = !shown && !unit.command;
    at("command").textContent = command(unit, shown);
    at("command").parentElement.hidden = !unit.command;
    at("recipe-part").hidden = !recipe;
    at("recipe").textContent = recipe ? recipe.text || JSON.stringify(recipe.json, null, 2) : "";
    at("made-said").textContent = shown && shown.id ? about(shown, recipe) : "";
    const png = shown && shown.png && phosphene.atlas.within(shown.png);
    if (png) {
      at("made-said").append(" · ");
      element("a", { href: phosphene.address(png), download: "" }, at("made-said"), "as PNG");
    }
  }

  const about = ({ width, height, seed, seconds, id }, recipe) => [recipe && recipe.name && "Recipe " + recipe.name,
    width + " × " + height + " pixels", "seed " + seed, number(seconds) + "\u00a0s", "picture " + id.slice(0, 16)]
    .filter(Boolean).join(" · ");

  // Of the unit's first picture; another is named after it.
  function command(unit, shown) {
    if (!shown || !unit.command || shown === unit.pictures[0]) return unit.command;
    const { variant, member, seed } = shown;
    return unit.command + (variant === "positive" ? "" : " --variant " + variant)
      + (variant === "diverse" ? " --member " + member : "")
      + (seed === unit.pictures[0].seed ? "" : " --seed " + seed);
  }

  // A page from disk may have no clipboard: then the command is marked, ready to be copied by hand.
  async function copy() {
    try {
      await navigator.clipboard.writeText(at("command").textContent);
      say("Copied");
    } catch {
      getSelection().selectAllChildren(at("command"));
      say(document.execCommand("copy") ? "Copied" : "Marked");
    }
  }

  function say(word) {
    at("copy").textContent = word;
    at("live").textContent = word;
    setTimeout(() => { at("copy").textContent = "Copy"; }, SAID_MS);
  }

  phosphene.made = { build, show };
})();
