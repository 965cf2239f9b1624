"""Looking for units by a picture, from a network and photographs to what a server answers; and through the command."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from atlas_fixtures import Shape, made_up_manifest
from PIL import Image
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from networks import SIZE, conv_net

import phosphene as ph
from phosphene.cli.app import app
from phosphene.errors import NetworkError
from phosphene.store.atlas import AtlasFolder, create_atlas, open_atlas
from phosphene.store.atlas.alignment import AlignmentTable
from phosphene.web import atlas_desk
from phosphene.web.atlas_looking import ImageSearch
from phosphene.web.atlas_server import serve
from phosphene.web.atlas_site import Site

WAIT_S = 30
N_PHOTOGRAPHS = 10


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    noise = np.random.default_rng(0)
    for number in range(N_PHOTOGRAPHS):
        pixels = noise.integers(0, 256, 3) * noise.uniform(0.2, 1, (*SIZE, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def folder(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> AtlasFolder:
    """Two layers of a network, rendered in a step, with what they answer to photographs."""
    where = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHOSPHENE_CACHE", str(where / "cache"))
        ph.atlas.build(
            conv_net(), str(where / "a"), layers=["conv2", "classifier"], size=12, steps=1, batch_size=8,
            images=photographs,
        )  # fmt: skip
    return open_atlas(str(where / "a"))


@contextmanager
def serving(folder: AtlasFolder, network: ph.Network) -> Generator[str]:
    """A server with an image search; its address."""
    said, heard, ended = list[str](), threading.Event(), threading.Event()

    def say(line: str) -> None:
        said.append(line)
        heard.set()

    asked = {"port": 0, "network": network, "say": say, "stop": ended.is_set}
    thread = threading.Thread(target=serve, args=(Site(folder),), kwargs=asked)
    thread.start()
    try:
        assert heard.wait(WAIT_S)
        yield said[0].removeprefix("Atlas: ")
    finally:
        ended.set()
        thread.join(WAIT_S)
    assert not thread.is_alive()


def means_of(path: Path) -> dict[tuple[str, int], float]:
    """The oracle: each channel's mean over positions, by the layers themselves."""
    module = conv_net().module
    x = torch.from_numpy(np.asarray(Image.open(path)).transpose(2, 0, 1).copy())[None] / 255
    found: dict[tuple[str, int], float] = {}
    with torch.no_grad():
        for name, layer in module.named_children():
            x = layer(x)
            if name in ("conv2", "classifier"):
                answers = x.flatten(2).mean(2)[0] if x.ndim > 2 else x[0]
                found |= {(name, unit): float(value) for unit, value in enumerate(answers)}
    return found


def test_a_photograph_finds_the_units_that_it_drives_more_than_the_others_do(
    folder: AtlasFolder, photographs: Path
) -> None:
    with serving(folder, conv_net()) as address:
        for number in (0, 7):
            path = photographs / f"{number}.png"
            kind = {"content-type": "image/png"}
            posted = httpx.post(
                f"{address}api/search/image", content=path.read_bytes(), headers=kind, trust_env=False, timeout=WAIT_S
            )
            assert posted.status_code == 200, posted.text
            found = posted.json()["units"]
            means = means_of(path)
            assert {(one["layer"], one["unit"]) for one in found} == set(means)
            percentiles = [one["percentile"] for one in found]
            assert percentiles == sorted(percentiles, reverse=True)
            for one in found:
                value = means[one["layer"], one["unit"]]
                facts = folder.unit_facts(one["layer"], one["unit"])
                assert facts is not None
                assert facts.answers is not None
                assert one["value"] == pytest.approx(value, abs=1e-4)
                # Of few photographs the percentile is a stair, and rounding may lead over a step.
                low, high = (facts.answers.percentile(value + step) for step in (-1e-3, 1e-3))
                assert low - 0.01 <= one["percentile"] <= high + 0.01
                assert one["spread"] == pytest.approx((value - facts.answers.mean) / facts.answers.std, abs=0.01)


def test_the_photograph_that_drives_a_unit_most_lies_above_all_others(folder: AtlasFolder, photographs: Path) -> None:
    means = [means_of(photographs / f"{number}.png") for number in range(N_PHOTOGRAPHS)]
    best = max(range(N_PHOTOGRAPHS), key=lambda i: means[i]["conv2", 3])
    found = ImageSearch(conv_net()).units(Site(folder).view, (photographs / f"{best}.png").read_bytes())
    told = {(one["layer"], one["unit"]): one["percentile"] for one in found}
    assert told["conv2", 3] >= 100 * (N_PHOTOGRAPHS - 1) / N_PHOTOGRAPHS


def test_pages_do_not_wait_for_pictures_that_are_looked_for(
    folder: AtlasFolder, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, entered, begun = threading.Event(), threading.Event(), list[int]()

    def units(search: ImageSearch, view: object, image: bytes) -> list[object]:
        begun.append(len(image))
        entered.set()
        assert going.wait(WAIT_S)
        return []

    monkeypatch.setattr(ImageSearch, "units", units)
    image, kind = (photographs / "0.png").read_bytes(), {"content-type": "image/png"}
    with serving(folder, conv_net()) as address, ThreadPoolExecutor(6) as crowd:
        ask = partial(
            httpx.post, f"{address}api/search/image", content=image, headers=kind, trust_env=False, timeout=60
        )
        searches = [crowd.submit(ask) for _ in range(6)]
        try:
            assert entered.wait(WAIT_S)
            for _ in range(20):  # while the six arrive
                assert httpx.get(f"{address}data/atlas.js", trust_env=False, timeout=WAIT_S / 3).status_code == 200
            assert len(begun) == 1
        finally:
            going.set()
        assert [search.result().json() for search in searches] == [{"units": []}] * 6


@pytest.mark.parametrize("drip", [b"", b"x"])
def test_a_picture_that_does_not_arrive_is_not_waited_for(
    folder: AtlasFolder, monkeypatch: pytest.MonkeyPatch, drip: bytes
) -> None:
    monkeypatch.setattr(atlas_desk, "BODY_S", 0.4)
    head = (
        b"POST /api/search/image HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 9999\r\n\r\n"
    )
    with serving(folder, conv_net()) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=0.05) as connection:
            connection.sendall(head)
            answer, started = b"", time.monotonic()
            while not answer.endswith(b"}") and time.monotonic() < started + 4:
                connection.sendall(drip)
                with contextlib.suppress(TimeoutError):
                    answer += connection.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"the body did not arrive within 0.4 seconds" in answer


def test_a_network_with_other_weights_is_refused(folder: AtlasFolder) -> None:
    other = conv_net()
    with torch.no_grad():
        next(other.module.parameters()).add_(0.01)
    other = ph.wrap(other.module, mean=0, std=1, input_size=SIZE, n_channels=3, labels=other.labels)
    with pytest.raises(
        NetworkError, match=r"has other weights \(.*\) than the atlas, which is of .*; give the network"
    ):
        serve(Site(folder), port=0, network=other, say=print, stop=lambda: True)


def test_a_network_that_is_shown_images_otherwise_is_refused(folder: AtlasFolder) -> None:
    manifest = folder.manifest.network
    for changes in ({"mean": (0.5, 0.5, 0.5)}, {"input_size": (14, 14)}):
        (name,) = changes
        with pytest.raises(NetworkError, match=f"is shown images otherwise: its {name} is .* was built with"):
            ImageSearch.of(replace(conv_net(), **changes), manifest)


FACTORY = """
from torch import nn

def net():
    module = nn.Sequential(nn.Conv2d(3, 4, 3))
    module.image_size = 12
    return module
"""


@pytest.fixture
def mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run ``phosphene atlas`` with a mistake; the one message."""
    (tmp_path / "search_factory.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def invoke(*arguments: object) -> str:
        result = CliRunner().invoke(app, ["atlas", *map(str, arguments)], prog_name="phosphene")
        assert (result.exit_code, result.stdout) == (2, ""), result.output
        return " ".join(result.stderr.split())

    return invoke


@pytest.mark.filterwarnings("ignore:no normalisation was given:UserWarning")
def test_the_command_says_what_does_not_belong_together(
    folder: AtlasFolder, tmp_path: Path, mistake: Callable[..., str]
) -> None:
    uri = folder.uri
    said = mistake("serve", uri, "--net", "search_factory:net", "--port", 0)
    assert "has other weights" in said
    assert "--weights is 'w.pt' without a network; name it with --net" in mistake("serve", uri, "--weights", "w.pt")

    other = create_atlas(str(tmp_path / "b"), made_up_manifest((Shape("conv2", 4),), name="second"))
    table = AlignmentTable("c" * 64, "d" * 64, "x", "y", "photographs", 10, ())
    (tmp_path / "x.parquet").write_bytes(table.to_bytes())
    for command in (("serve", uri, "--port", 0), ("export", uri, "-o", tmp_path / "site")):
        said = mistake(*command, "--compare", other.uri, "--alignment", tmp_path / "x.parquet")
        assert "the alignment is of 'x' (weights cccccccccccc) and 'y' (weights dddddddddddd), but the atlases" in said
        assert "phosphene atlas align" in said
    assert not (tmp_path / "site").exists()
