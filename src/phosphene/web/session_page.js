"use strict";
// How the session stands, asked for again and again. Texts are set as texts, never as markup.
(() => {
  const PERIOD_MS = 1000, SLOWEST_MS = 10000, TIMEOUT_MS = 30000;
  const SIZE = { width: 720, height: 280, left: 56, right: 14, top: 14, bottom: 34 };
  const at = (id) => document.getElementById(id);
  let token = "", delay = PERIOD_MS, timer = 0, round = 0, drawn = "";

  // The fragment of an address is sent to no server and stands in no log; it leaves the address bar at once.
  function takeToken() {
    const said = new URLSearchParams(location.hash.slice(1)).get("token");
    if (said) {
      sessionStorage.setItem("token", said);
      history.replaceState(null, "", location.pathname);
    }
    token = said || sessionStorage.getItem("token") || "";
  }

  async function request(path) {
    const response = await fetch(path, {
      headers: { Authorization: "Bearer " + token }, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.ok) return response;
    const body = await response.json().catch(() => ({}));
    throw Object.assign(new Error(body.error || "the server answered " + response.status), { status: response.status });
  }

  async function poll() {
    clearTimeout(timer);
    const mine = ++round; // a new token starts a new round, and the old one's answers count no more
    try {
      if (!token) throw Object.assign(new Error("This page needs the session's token."), { status: 401 });
      const status = await (await request("/status")).json();
      if (mine !== round) return;
      show(status);
      await showPictures(status.threads);
      delay = PERIOD_MS;
    } catch (error) {
      if (mine !== round) return;
      if (error.status === 401) return askForToken(error.message);
      at("state").textContent = "Not connected: what is below may be old.";
      complain(error.status ? error.message : "The server does not answer; it is asked again.");
      delay = Math.min(2 * delay, SLOWEST_MS);
    }
    if (mine === round) timer = setTimeout(poll, delay);
  }

  function complain(text) {
    const place = at("problem");
    if (place.textContent !== text) place.textContent = text;
    place.hidden = !text;
  }

  function askForToken(text) {
    sessionStorage.removeItem("token");
    at("state").textContent = "Not connected.";
    at("content").hidden = true;
    at("key").hidden = false;
    complain("Not allowed: " + text);
    at("token").focus();
  }

  function show(status) {
    at("content").hidden = false;
    at("key").hidden = true;
    document.title = status.name + ", generation " + status.generation + " – phosphene session";
    at("session").textContent = "session " + status.name;
    const state = describe(status);
    if (at("state").textContent !== state) at("state").textContent = state;
    at("generation").textContent = status.generation;
    const scored = total(status.threads, "n_scored"), shown = scored + total(status.threads, "n_waiting");
    at("scored").textContent = scored + " of " + shown;
    at("progress").max = Math.max(1, shown);
    at("progress").value = scored;
    at("waiting").textContent = status.is_asked ? status.n_waiting : "not asked for";
    at("trials").textContent = status.n_trials;
    at("lost").textContent = status.n_lost;
    complain(status.problem || (status.last_error ? "Last message: " + status.last_error : ""));
    const curves = status.threads.map(curveOf), mark = JSON.stringify(curves);
    if (mark !== drawn) {
      drawn = mark;
      drawChart(curves);
      fillTable(curves);
    }
  }

  const total = (threads, key) => threads.reduce((sum, thread) => sum + thread[key], 0);

  const describe = (status) => status.threads.map((thread) =>
    thread.name + ": generation " + thread.generation + ", best score " + number(thread.best_score)).join(" · ");

  // Rows of generations; the last one may still be under way.
  function curveOf(thread) {
    const rows = thread.evolved.map((evolved, generation) => (
      { generation, evolved, reference: thread.references[generation], over: generation < thread.generation }));
    return { name: thread.name, curve: rows };
  }

  const number = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)).toString());

  function element(name, attributes, parent, text) {
    const made = name.startsWith("svg:")
      ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4)) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  const colour = (index) => "t" + (index % 6);
  const known = (curve, key) => curve.filter((row) => row[key] !== null && row[key] !== undefined);

  function ticks(low, high) {
    const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) || 10);
    const found = [];
    for (let i = Math.ceil(low / step); i * step <= high + 1e-9 * step; i++) found.push(Number((i * step).toPrecision(12)));
    return found;
  }

  function scales(threads) {
    const rows = threads.flatMap((thread) => thread.curve);
    const values = rows.flatMap((row) => [row.evolved, row.reference]).filter((v) => v !== null && v !== undefined);
    let low = Math.min(...values), high = Math.max(...values);
    const margin = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
    low -= margin;
    high += margin;
    const last = Math.max(1, ...rows.map((row) => row.generation));
    const { width, height, left, right, top, bottom } = SIZE;
    return {
      low, high, last,
      x: (generation) => left + (generation / last) * (width - left - right),
      y: (value) => height - bottom - ((value - low) / (high - low)) * (height - top - bottom),
    };
  }

  function drawChart(threads) {
    const place = at("chart");
    place.replaceChildren();
    at("legend").replaceChildren();
    if (!threads.some((thread) => known(thread.curve, "evolved").length || known(thread.curve, "reference").length)) {
      place.setAttribute("aria-label", "No scores yet.");
      element("p", { class: "note" }, place, "No scores yet.");
      return;
    }
    // As wide as it is shown, so that its letters keep their size.
    SIZE.width = Math.max(300, place.clientWidth - 18);
    const scale = scales(threads);
    const svg = element("svg:svg", { viewBox: "0 0 " + SIZE.width + " " + SIZE.height }, place);
    drawAxes(svg, scale);
    const shared = JSON.stringify(threads[0].curve.map((row) => row.reference));
    const same = threads.every((thread) => JSON.stringify(thread.curve.map((row) => row.reference)) === shared);
    if (same) drawLine(svg, scale, threads[0].curve, "reference", { shade: "plain", name: "reference images" });
    threads.forEach((thread, index) => {
      const shade = colour(index);
      if (!same) drawLine(svg, scale, thread.curve, "reference", { shade, name: thread.name + ", reference images" });
      drawLine(svg, scale, thread.curve, "evolved", { shade, name: thread.name + ", evolved" });
      known(thread.curve, "evolved").forEach((row) => drawPoint(svg, scale, row, thread.name, shade));
    });
    place.setAttribute("aria-label", "Curves. " + threads.map(inWords).join(" "));
  }

  function drawAxes(svg, scale) {
    const end = SIZE.width - SIZE.right, floor = SIZE.height - SIZE.bottom;
    for (const value of ticks(scale.low, scale.high)) {
      const y = scale.y(value);
      element("svg:line", { class: "rule", x1: SIZE.left, x2: end, y1: y, y2: y }, svg);
      element("svg:text", { x: SIZE.left - 8, y: y + 4, "text-anchor": "end" }, svg, number(value));
    }
    const whole = ticks(0, scale.last).filter(Number.isInteger);
    for (const value of whole) {
      element("svg:text", { x: scale.x(value), y: floor + 16, "text-anchor": "middle" }, svg, value);
    }
    element("svg:text", { x: (SIZE.left + end) / 2, y: SIZE.height - 3, "text-anchor": "middle" }, svg, "generation");
  }

  function drawLine(svg, scale, curve, key, { shade, name }) {
    const rows = known(curve, key);
    if (!rows.length) return;
    const points = rows.map((row) => scale.x(row.generation) + "," + scale.y(row[key])).join(" ");
    element("svg:polyline", { class: "line " + shade + " " + key, points }, svg);
    const item = element("li", { class: shade }, at("legend"));
    element("span", { class: "swatch " + key }, item);
    element("b", {}, item, name);
  }

  function drawPoint(svg, scale, row, name, shade) {
    const point = element("svg:circle",
      { class: "point " + shade + (row.over ? "" : " open"), cx: scale.x(row.generation), cy: scale.y(row.evolved), r: 3 }, svg);
    element("svg:title", {}, point, name + ", generation " + row.generation + ": " + number(row.evolved) + (row.over ? "" : " so far"));
  }

  function inWords(thread) {
    const rows = known(thread.curve, "evolved");
    if (!rows.length) return thread.name + ": no scores yet.";
    const first = rows[0], last = rows[rows.length - 1];
    return thread.name + ": mean score " + number(first.evolved) + " in generation " + first.generation + ", "
      + number(last.evolved) + " in generation " + last.generation + "; reference images " + number(last.reference) + ".";
  }

  function fillTable(threads) {
    at("rows").replaceChildren();
    for (const thread of threads) {
      for (const row of thread.curve) {
        const line = element("tr", {}, at("rows"));
        const cells = [thread.name, row.generation, number(row.evolved), number(row.reference), row.over ? "" : "so far"];
        cells.forEach((cell) => element("td", {}, line, cell));
      }
    }
  }

  // A picture is fetched again when what /status says of it has changed.
  async function showPictures(threads) {
    for (const thread of threads) {
      const best = thread.best_score === null ? "" : thread.best_stimulus + " " + thread.best_score;
      await showPicture(thread, "best", best, "Best: " + number(thread.best_score));
      const about = "Recommended after " + thread.generation + " generation" + (thread.generation === 1 ? "" : "s");
      await showPicture(thread, "recommended", thread.generation > 0 ? "g" + thread.generation : "", about);
    }
  }

  async function showPicture(thread, kind, mark, about) {
    if (!mark) return;
    const id = kind + "-" + thread.name;
    const figure = at(id) || makeFigure(id);
    if (figure.dataset.mark === mark) return;
    const blob = await (await request("/" + kind + ".png?thread=" + encodeURIComponent(thread.name))).blob();
    const image = figure.querySelector("img"), old = image.src;
    image.src = URL.createObjectURL(blob);
    if (old) URL.revokeObjectURL(old);
    await image.decode().catch(() => undefined);
    image.classList.toggle("small", image.naturalWidth < 160);
    image.alt = "Thread " + thread.name + ", " + kind + " image";
    figure.querySelector("b").textContent = thread.name;
    figure.querySelector("span").textContent = about;
    figure.dataset.mark = mark;
  }

  function makeFigure(id) {
    const figure = element("figure", { id }, at("pictures"));
    element("img", { alt: "" }, figure);
    const caption = element("figcaption", {}, figure);
    element("b", {}, caption);
    caption.append(" ");
    element("span", {}, caption);
    return figure;
  }

  at("key").addEventListener("submit", (event) => {
    event.preventDefault();
    token = at("token").value.trim();
    sessionStorage.setItem("token", token);
    at("token").value = "";
    poll();
  });
  addEventListener("resize", () => { drawn = ""; });
  addEventListener("hashchange", () => { takeToken(); poll(); });
  takeToken();
  poll();
})();
