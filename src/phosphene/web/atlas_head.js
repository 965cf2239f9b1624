"use strict";
// The head of every page: where one is, the search box, and the keys with a list of them.
(() => {
  const { at, element } = phosphene;
  const N_FOUND = 8; // listed below the box; the contents page lists more
  const keys = [];
  let round = 0;

  // crumbs: [text, href] from the atlas down; the last is where one is. beside: whether that is the comparison.
  function build(atlas, crumbs, { beside = false } = {}) {
    const head = at("head");
    head.replaceChildren();
    const nav = element("nav", { class: "crumbs", "aria-label": "Place in the atlas" }, head);
    const list = element("ol", {}, nav);
    [[atlas.title, "index.html"], ...crumbs].forEach(([text, href], i) => {
      const isHere = i === crumbs.length, item = element("li", {}, list);
      if (isHere) element("span", { "aria-current": "page" }, item, text);
      else element("a", { href }, item, text);
    });
    if (atlas.compare && !beside) element("a", { href: "compare.html" }, nav, "compared with " + atlas.compare.title);
    buildSearch(head);
    const help = element("button", { type: "button", class: "plain", "aria-label": "Keys", title: "Keys" }, head, "?");
    help.addEventListener("click", showKeys);
  }

  function buildSearch(head) {
    const form = element("form", { role: "search", class: "search" }, head);
    element("input", { type: "search", id: "search", autocomplete: "off", spellcheck: "false", maxlength: 200,
      placeholder: "Unit, layer, class or photograph", "aria-label": "Search the atlas", "aria-controls": "found" }, form);
    element("div", { id: "found", class: "found", hidden: "" }, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const words = at("search").value.trim();
      if (words) location.href = "index.html" + phosphene.atlas.fragment("", { q: words });
      close();
    });
    at("search").addEventListener("input", () => suggest(at("search").value).catch((error) => {
      close();
      phosphene.atlas.complain(error);
    }));
    form.addEventListener("keydown", moved);
    form.addEventListener("focusout", (event) => {
      if (!form.contains(event.relatedTarget)) close();
    });
  }

  async function suggest(words) {
    const mine = ++round;
    if (!words.trim()) return close();
    const found = await phosphene.search.find(words);
    if (mine !== round) return;
    const box = at("found");
    box.replaceChildren();
    phosphene.search.list(box, found.slice(0, N_FOUND));
    const more = found.length - N_FOUND;
    if (more > 0) element("p", { class: "note" }, box, "Enter shows " + phosphene.atlas.count(more) + " more.");
    if (!found.length) element("p", { class: "note" }, box, "Nothing here is called “" + words.trim() + "”.");
    box.hidden = false;
    at("live").textContent = phosphene.atlas.plural(found.length, "result");
  }

  function close() {
    round++;
    at("found").hidden = true;
  }

  function moved(event) {
    const links = [...at("found").querySelectorAll("a")], place = links.indexOf(document.activeElement);
    if (event.key === "Escape") {
      at("search").focus();
      close();
    } else if (event.key === "ArrowDown" && !at("found").hidden) links[Math.min(place + 1, links.length - 1)]?.focus();
    else if (event.key === "ArrowUp" && place >= 0) (links[place - 1] || at("search")).focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // made: keys (the first is named to people), about, run(event).
  const key = (...made) => keys.push(...made);

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || at("keys")) return;
    const field = event.target.closest("input, select, textarea");
    if (field && (field.type !== "radio" || event.key.startsWith("Arrow"))) return;
    const found = keys.find((made) => made.keys.includes(event.key));
    if (!found) return;
    event.preventDefault();
    found.run(event);
  }

  function showKeys() {
    if (at("keys")) return;
    const box = element("dialog", { id: "keys", "aria-labelledby": "keys-title" }, document.body);
    element("h2", { id: "keys-title" }, box, "Keys");
    const list = element("dl", {}, box);
    for (const { keys: names, about } of keys) {
      const term = element("dt", {}, list);
      names.forEach((name) => element("kbd", {}, term, NAMES[name] || name));
      element("dd", {}, list, about);
    }
    const form = element("form", { method: "dialog" }, box);
    element("button", {}, form, "Close");
    box.addEventListener("close", () => box.remove());
    box.addEventListener("click", (event) => {
      if (event.target === box) box.close();
    });
    box.showModal();
  }

  const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };

  key({ keys: ["/"], about: "search", run: () => at("search")?.select() },
    { keys: ["?"], about: "this list", run: showKeys });
  addEventListener("keydown", pressed);

  phosphene.head = { build, key };
})();
