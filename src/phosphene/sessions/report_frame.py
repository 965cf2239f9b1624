"""The frame of a report's page: its style, its one script, and the policy that lets nothing else run or load."""

from __future__ import annotations

import base64
import hashlib
from string import Template

#: A click on a table's head sorts by that column; without scripts the table stays as it is.
SORTING = """for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const key = (row, i) => row.cells[i].dataset.value ?? row.cells[i].textContent;
  [...table.tHead.rows[0].cells].forEach((head, i) => head.firstChild.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    const way = down ? -1 : 1;
    const compare = (a, b) => a === b ? 0 : a === "" ? 1 : b === "" ? -1
      : way * (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
    [...body.rows].sort((a, b) => compare(key(a, i), key(b, i))).forEach(row => body.append(row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  }));
}"""
SCRIPT_HASH = base64.b64encode(hashlib.sha256(SORTING.encode()).digest()).decode()

# The policy lets the browser load nothing and run nothing but the script above, whatever a text might hold.
PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
script-src 'sha256-$script_hash'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { --ink: #1c1b19; --soft: #6b675f; --paper: #faf8f4; --card: #fff; --line: #e4dfd5; --mark: #9a3f1d; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ece8e0; --soft: #a29c90; --paper: #161513; --card: #201e1b; --line: #35322d; --mark: #f0a37f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 72rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.9rem; line-height: 1.2; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { margin: 0 0 .3rem; font-size: 1.25rem; }
h3 { margin: 1.2rem 0 .4rem; font-size: 1rem; }
.lead, .note { max-width: 68ch; color: var(--soft); }
.lead { margin: 0 0 1.5rem; }
.note { margin: .2rem 0 1rem; }
.empty { padding: 1rem; border: 1px dashed var(--line); border-radius: .5rem; color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .4rem 1.1rem; padding: .75rem 0; border-block: 1px solid var(--line); }
a { color: var(--mark); text-underline-offset: .2em; }
section { margin-top: 2.5rem; scroll-margin-top: 1rem; }
.strip { display: flex; flex-wrap: wrap; gap: .6rem; }
figure { margin: 0; }
.strip figure { width: 7.2rem; overflow: hidden; border: 1px solid var(--line); border-radius: .4rem;
  background: var(--card); }
.strip.large figure { width: 11rem; }
.strip img { display: block; width: 100%; height: auto; }
figcaption { padding: .35rem .5rem .45rem; font-size: .8rem; line-height: 1.35; overflow-wrap: anywhere; }
figcaption span { display: block; color: var(--soft); font-variant-numeric: tabular-nums; }
.chart { padding: .8rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
.chart > svg { display: block; width: 100%; height: auto; }
.chart text { fill: var(--soft); font: 12px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
.chart .grid { stroke: var(--line); }
.chart .axis { stroke: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .5rem 0 0; padding: 0; list-style: none;
  font-size: .875rem; }
.key { width: 1.6rem; height: .5rem; margin-right: .4rem; vertical-align: middle; }
.scroll { overflow-x: auto; max-height: 34rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); }
table { width: 100%; border-collapse: collapse; font-size: .875rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  max-width: 26rem; overflow-wrap: break-word; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { position: sticky; top: 0; background: var(--card); white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:focus-visible { outline: 2px solid var(--mark); }
th[aria-sort=ascending] button::after { content: " ↑"; }
th[aria-sort=descending] button::after { content: " ↓"; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); }
@media print { .scroll { max-height: none; } section { break-inside: avoid-page; } }
</style>
</head>
<body>
<header>
<h1>$title</h1>
<p class="lead">$lead</p>
<nav aria-label="Sections">$links</nav>
</header>
<main>
$sections
</main>
<footer>$footer</footer>
<script>$script</script>
</body>
</html>
""")
