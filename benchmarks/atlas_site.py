"""An atlas of 100,000 units as a site: how long its export takes, how soon its first page is there, and in what memory.

``python benchmarks/atlas_site.py [--units 100000] [--folder FOLDER]`` makes an atlas of made-up pictures (kept in
FOLDER where one is named), exports it, serves it, and reads it over HTTP and, where Chromium is there, in a browser; it
prints a table and writes ``results/atlas_site.md``. About ten minutes on one core, and 2 GB of disk. It fails where a
limit is passed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from tables import align

TESTS = Path(__file__).parents[1] / "tests" / "web"
RESULTS = Path(__file__).parent / "results" / "atlas_site.md"
LIMIT_MIB, LIMIT_S = 500, 1.0
SIDE = 64
WAIT_S = 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child", choices=("make", "export", "serve"))
    asked = parser.parse_args()
    if asked.child:
        return globals()[f"child_{asked.child}"](asked)
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        if not (folder / "atlas").exists():
            _child("make", folder, asked.units)
        rows = [*_exported(folder, asked.units), *_served(folder, asked.units)]
    return _report(rows, asked.units)


def child_make(asked: argparse.Namespace) -> int:
    sys.path.insert(0, str(TESTS))
    from atlas_fixtures import Shape, made_up_manifest, make_atlas

    n = asked.units
    shapes = (Shape("sae", 6 * n // 10), Shape("features", 39 * n // 100), Shape("classifier", n // 100, None, True))
    manifest = made_up_manifest(shapes, negative=False, diversity=0, job_size=64)
    make_atlas(asked.folder / "atlas", manifest, side=SIDE)
    return _told({"MB": sum(p.stat().st_size for p in (asked.folder / "atlas").rglob("*") if p.is_file()) / 1e6})


def child_export(asked: argparse.Namespace) -> int:
    began = time.perf_counter()
    from phosphene.store.atlas import open_atlas
    from phosphene.web.atlas_export import export_site
    from phosphene.web.atlas_site import Site

    export_site(Site(open_atlas(str(asked.folder / "atlas"))), asked.folder / "site")
    return _told({"seconds": time.perf_counter() - began, "cpu_s": time.process_time()})


def child_serve(asked: argparse.Namespace) -> int:
    from phosphene.store.atlas import open_atlas
    from phosphene.web.atlas_server import serve
    from phosphene.web.atlas_site import Site

    site = Site(open_atlas(str(asked.folder / "atlas")))
    serve(site, port=0, say=lambda line: print(line, flush=True))
    return 0


def _told(values: dict[str, float]) -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(values | {"peak_mib": peak, "torch": "torch" in sys.modules}))
    return 0


def _child(what: str, folder: Path, units: int) -> dict[str, float]:
    call = [sys.executable, __file__, "--child", what, "--folder", str(folder), "--units", str(units)]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _exported(folder: Path, units: int) -> Iterator[tuple[str, str, str, bool]]:
    found = _child("export", folder, units)
    files = [path for path in (folder / "site").rglob("*") if path.is_file()]
    yield "export", f"{found['seconds']:.0f} s, {found['cpu_s']:.0f} s of them on the CPU", "–", True
    yield "files", f"{len(files):,}", "–", True
    yield "size", f"{sum(path.stat().st_size for path in files) / 1e6:.0f} MB", "–", True
    yield (
        "memory of the export, at most",
        f"{found['peak_mib']:.0f} MiB",
        f"{LIMIT_MIB} MiB",
        found["peak_mib"] < LIMIT_MIB,
    )
    yield "torch imported", "yes" if found["torch"] else "no", "no", not found["torch"]


@contextmanager
def _server(folder: Path, units: int) -> Iterator[tuple[str, int, float]]:
    call = [sys.executable, __file__, "--child", "serve", "--folder", str(folder), "--units", str(units)]
    began = time.perf_counter()
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield line.split()[-1], process.pid, time.perf_counter() - began
        finally:
            process.terminate()
            process.wait(WAIT_S)


def _served(folder: Path, units: int) -> Iterator[tuple[str, str, str, bool]]:
    with _server(folder, units) as (address, pid, ready_s), httpx.Client(base_url=address, timeout=WAIT_S) as client:
        first = _first_page(client)
        yield "server ready", f"{ready_s:.2f} s", "–", True
        yield "first page, over HTTP", f"{first:.2f} s", f"{LIMIT_S} s", first < LIMIT_S
        seen = _in_browser(address)
        if seen is not None:
            yield "first page, in Chromium with all mosaics", f"{seen:.2f} s", "–", True
        for name, path in _PATHS:
            began = time.perf_counter()
            client.get(path).raise_for_status()
            yield name, f"{time.perf_counter() - began:.2f} s", "–", True
        _leaf_through(client)
        peak = _peak_mib(pid)
        yield "memory of the server, at most", f"{peak:.0f} MiB", f"{LIMIT_MIB} MiB", peak < LIMIT_MIB


_PATHS = (
    ("numbers of a layer of 60,000", "data/sae/layer.js"),
    ("a sheet of 128 units", "data/sae/positive-200.webp"),
    ("a file of units", "data/sae/units-900.js"),
    ("first search", "api/search?q=photograph"),
    ("next search", "api/search?q=classifier:7"),
)


def _first_page(client: httpx.Client) -> float:
    """Seconds until everything is there that the first page shows: its parts, what it is told, a mosaic a layer."""
    began = time.perf_counter()
    page = client.get("/").raise_for_status().text
    parts = [piece.split('"')[0] for mark in ('src="', 'href="') for piece in page.split(mark)[1:]]
    for part in parts:
        if part.startswith("page/"):
            client.get(part).raise_for_status()
    told = client.get("data/atlas.js").raise_for_status().text
    atlas = json.loads(told[told.index(",") + 1 : told.rindex(")")])
    for layer in atlas["layers"]:
        client.get(layer["mosaic"]["file"]).raise_for_status()
    return time.perf_counter() - began


def _in_browser(address: str) -> float | None:
    sys.path.insert(0, str(TESTS))
    try:
        from browsers import CHROMIUM, DRIVER, browsing, until
    except ImportError:
        return None
    if not (CHROMIUM and DRIVER):
        return None
    done = "return [...document.images].length > 0 && [...document.images].every((image) => image.complete)"
    with tempfile.TemporaryDirectory() as profile, browsing(Path(profile)) as browser:
        browser.get("about:blank")
        began = time.perf_counter()
        browser.get(address)
        until(browser, lambda it: it.execute_script(done))
        return time.perf_counter() - began


def _leaf_through(client: httpx.Client) -> None:
    """Sheets, units and pages of a list from everywhere, so that what is kept is full."""
    for number in range(0, 468, 3):
        client.get(f"data/sae/positive-{number}.webp")
        client.get(f"data/sae/units-{5 * number}.js")
    for sort in ("score", "percentile", "similarity"):
        client.get("api/units", params={"layer": "sae", "sort": sort, "limit": 500})
    for layer in ("features", "classifier"):
        client.get(f"data/{layer}/layer.js")
    client.get("data/search.js")


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) / 1024


def _report(rows: list[tuple[str, str, str, bool]], units: int) -> int:
    table = "\n".join(align([["", "measured", "limit"], *([name, value, limit] for name, value, limit, _ in rows)]))
    where = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    head = f"# The site of an atlas of {units:,} units\n\nMade-up pictures of {SIDE} px, 9 photographs a unit; {where}."
    text = f"{head}\n\n{table}\n"
    print(text)
    if units >= 100_000:
        RESULTS.write_text(text)
    return 0 if all(fits for *_, fits in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
