"use strict";
// What every script of the page uses: data that arrive as scripts, arrays, elements, numbers as people read them.
// Texts are set as texts, never as markup.
window.phosphene = (() => {
  const arrived = new Map(), asked = new Map();
  const FLOATS = { float32: Float32Array, int32: Int32Array };

  // A page opened from disk may load scripts, but may not fetch: data files call put.
  const put = (key, content) => arrived.set(key, content);

  function load(key, file) {
    if (!asked.has(key)) {
      const made = new Promise((done, failed) => request(key, file, done, failed));
      asked.set(key, made);
      made.catch(() => asked.delete(key)); // what failed is asked for again
    }
    return asked.get(key);
  }

  function request(key, file, done, failed) {
    const script = document.createElement("script");
    const fail = () => failed(new Error(file + " cannot be read. Is the whole folder there?"));
    script.onload = () => (arrived.has(key) ? done(arrived.get(key)) : fail());
    script.onerror = fail;
    script.src = address(file);
    document.head.append(script);
  }

  const address = (file) => file.split("/").map(encodeURIComponent).join("/");

  function bytesOf(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  }

  // Flat values of an array, the last axis running fastest.
  function decode(packed) {
    const bytes = bytesOf(packed.data);
    if (packed.type !== "uint8") return new FLOATS[packed.type](bytes.buffer);
    const low = new Float32Array(bytesOf(packed.low).buffer), step = new Float32Array(bytesOf(packed.step).buffer);
    const width = bytes.length / low.length, values = new Float32Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) {
      const row = Math.floor(i / width);
      values[i] = low[row] + step[row] * bytes[i];
    }
    return values;
  }

  // The steps of an array in 8 bits, one for each row.
  const steps = (packed) => new Float32Array(bytesOf(packed.step).buffer);

  const decodeAll = (packed) => Object.fromEntries(Object.entries(packed).map(([key, value]) => [key, decode(value)]));

  function element(name, attributes, parent, text) {
    const made = name.startsWith("svg:")
      ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4)) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined) made.setAttribute(key, value);
    }
    if (text !== undefined && text !== null) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  const at = (id) => document.getElementById(id);

  // Three digits, and none finer than the steps in which the value is known.
  function number(value, step = 0) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    const finest = step > 0 ? 10 ** Math.ceil(Math.log10(step)) : 0;
    const known = finest ? Math.round(value / finest) * finest : value;
    const short = Number(known.toPrecision(3)), size = Math.abs(short);
    const text = size && (size < 0.001 || size >= 1e6) ? short.toExponential(1) : String(short);
    return text.replaceAll("-", "−");
  }

  function signed(value, step = 0) {
    const text = number(value, step);
    return (value > 0 && text !== "0" ? "+" : "") + text;
  }

  const percent = (p) => (p === null ? "–" : number(Number((100 * p).toPrecision(2)))) + "\u00a0%";

  function extent(values) {
    let low = Infinity, high = -Infinity;
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return low <= high ? [low, high] : [0, 0];
  }

  const largest = (values) => extent(values).reduce((size, value) => Math.max(size, Math.abs(value)), 0);
  const total = (values) => values.reduce((sum, value) => sum + value, 0);

  // A picture out of a sprite; a hatched square where there is none.
  function tile(sprite, index, label, className) {
    const made = element("span", { class: "tile " + (className || ""), role: "img", "aria-label": label });
    if (!sprite || index === undefined || index === null) {
      made.classList.add("none");
      return made;
    }
    const place = (i, n) => (n > 1 ? (100 * i) / (n - 1) : 0) + "%";
    made.style.aspectRatio = sprite.size[1] + " / " + sprite.size[0];
    made.style.backgroundImage = 'url("' + address(sprite.file) + '")';
    made.style.backgroundSize = 100 * sprite.columns + "% " + 100 * sprite.rows + "%";
    made.style.backgroundPosition =
      place(index % sprite.columns, sprite.columns) + " " + place(Math.floor(index / sprite.columns), sprite.rows);
    made.classList.toggle("small", sprite.size[0] < 40);
    return made;
  }

  // A bar from 0; with a sign it starts in the middle.
  function bar(value, scale, { isSigned = false, color = "" } = {}) {
    const made = element("span", { class: isSigned ? "bar signed" : "bar", "aria-hidden": "true" });
    const share = scale > 0 && Number.isFinite(value) ? Math.min(1, Math.abs(value) / scale) : 0;
    const fill = element("span", { class: value < 0 ? "fill minus" : "fill plus" }, made);
    fill.style.width = (isSigned ? 50 : 100) * share + "%";
    if (color) fill.style.background = color;
    return made;
  }

  return {
    put, load, address, decode, decodeAll, steps, element, at, number, signed, percent, extent, largest, total, tile,
    bar,
  };
})();
