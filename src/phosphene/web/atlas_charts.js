"use strict";
// Two drawings: how the score rose while the picture was made, and where it stands among photographs.
(() => {
  const { element, number, extent, percent } = phosphene;
  const SIZE = { widest: 560, height: 168, left: 8, right: 8, top: 26, bottom: 24 };
  const N_SPANS = 3; // how far beyond the photographs, in their range, a score is still drawn to scale

  // As wide as it is shown, so that its letters keep their size.
  function canvas(place) {
    const width = Math.max(240, Math.min(SIZE.widest, place.clientWidth));
    place.replaceChildren();
    return { width, floor: SIZE.height - SIZE.bottom,
      svg: element("svg:svg", { viewBox: "0 0 " + width + " " + SIZE.height, role: "img" }, place) };
  }

  const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);

  function text(svg, x, y, said, { anchor = "start", own = "" } = {}) {
    element("svg:text", { x, y, "text-anchor": anchor, class: own }, svg, said);
  }

  // scores: of some steps, the first and the last among them.
  function curve(place, scores) {
    const { svg, width, floor } = canvas(place), [low, high] = extent([...scores, 0]);
    const x = scale(0, Math.max(1, scores.length - 1), SIZE.left, width - SIZE.right);
    const y = scale(low, high, floor, SIZE.top);
    rule(svg, SIZE.left, width - SIZE.right, y(0));
    for (const part of runs(scores)) {
      const points = part.map(([i, value]) => x(i) + "," + y(value)).join(" ");
      element("svg:polyline", { class: "climb", points }, svg);
    }
    text(svg, SIZE.left, SIZE.height - 8, "start");
    text(svg, width - SIZE.right, SIZE.height - 8, "end", { anchor: "end" });
    const [first, last] = [scores.findIndex(Number.isFinite), scores.findLastIndex(Number.isFinite)];
    svg.setAttribute("aria-label", "The score while the picture was made, from " + number(scores[first]) + " to "
      + number(scores[last]));
    if (last < 0) return;
    element("svg:circle", { class: "dot", cx: x(last), cy: y(scores[last]), r: 3.5 }, svg);
    text(svg, x(last), y(scores[last]) - 9, number(scores[last]), { anchor: "end", own: "own-text" });
  }

  function rule(svg, x1, x2, y, own = "rule") {
    element("svg:line", { class: own, x1, x2, y1: y, y2: y }, svg);
  }

  // Scores that were no numbers leave a gap.
  function runs(scores) {
    const found = [[]];
    scores.forEach((value, i) => {
      if (Number.isFinite(value)) found.at(-1).push([i, value]);
      else if (found.at(-1).length) found.push([]);
    });
    return found.filter((part) => part.length);
  }

  // answers: of photographs; score: of the picture, or null.
  function histogram(place, { edges, shares }, score) {
    const { svg, width, floor } = canvas(place), range = reach(edges, score);
    const x = scale(...range, SIZE.left, width - SIZE.right);
    const tall = scale(0, Math.max(...shares) || 1, 0, floor - SIZE.top);
    shares.forEach((share, i) => {
      const bin = element("svg:rect", { class: "bin", x: x(edges[i]), y: floor - tall(share || 0),
        width: Math.max(0.5, x(edges[i + 1]) - x(edges[i]) - 0.7), height: tall(share || 0) }, svg);
      element("svg:title", {}, bin, number(edges[i]) + " to " + number(edges[i + 1]) + ": " + percent(share));
    });
    rule(svg, SIZE.left, width - SIZE.right, floor);
    const [low, high] = [edges[0], edges.at(-1)];
    text(svg, x(low), SIZE.height - 8, number(low), { anchor: x(low) > width / 2 ? "end" : "start" });
    if (x(high) - x(low) > 60) text(svg, x(high), SIZE.height - 8, number(high), { anchor: "end" });
    svg.setAttribute("aria-label", "Histogram of its answers to photographs, from " + number(low) + " to "
      + number(high) + (score === null ? "" : "; the picture's score, " + number(score) + ", is marked"));
    if (score === null) return;
    mark(svg, { x: x(Math.min(range[1], Math.max(range[0], score))), floor, width, score,
      isBeyond: score > range[1] || score < range[0] });
  }

  // From the least to the greatest, with the score as far as that is not too far away.
  function reach(edges, score) {
    const [low, high] = [edges[0], edges.at(-1)], span = high - low || 1;
    if (score === null) return [low, high];
    return [score < low && low - score <= N_SPANS * span ? score : low,
      score > high && score - high <= N_SPANS * span ? score : high];
  }

  function mark(svg, { x, floor, width, score, isBeyond }) {
    element("svg:line", { class: "own", x1: x, x2: x, y1: SIZE.top - 6, y2: floor }, svg);
    const isRight = x > width / 2;
    text(svg, x + (isRight ? -6 : 6), SIZE.top - 11, (isBeyond ? "beyond: " : "") + "the picture, " + number(score),
      { anchor: isRight ? "end" : "start", own: "own-text" });
  }

  phosphene.charts = { curve, histogram };
})();
