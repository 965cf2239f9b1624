"""``phosphene atlas``: building, looking and making again from the command line."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from phosphene.cli.app import app
from phosphene.cli.atlas import atlas
from phosphene.cli.atlas_progress import note_of, shown
from phosphene.cli.atlas_text import numbers_of
from phosphene.errors import ParameterError
from phosphene.store import write_png
from phosphene.store.atlas import open_atlas

# A factory cannot say how images are normalised; this network needs nothing.
pytestmark = pytest.mark.filterwarnings("ignore:no normalisation was given:UserWarning")

#: A network that a factory makes, in a module of the current folder.
FACTORY = """
import math
from collections import OrderedDict
import torch
from torch import nn

def net():
    module = nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, 4, 3), act=nn.SiLU(), conv2=nn.Conv2d(4, 5, 3), pool=nn.AdaptiveAvgPool2d(1),
                                       flat=nn.Flatten(), out=nn.Linear(5, 3)))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) / math.sqrt(max(1, p[0].numel())))
    module.image_size = 14
    return module
"""
QUICK = ("--size", 12, "--steps", 2)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    (tmp_path / "atlas_factory.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def invoke(*arguments: object) -> Any:
        result = CliRunner().invoke(app, ["atlas", *map(str, arguments)], prog_name="phosphene")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.fixture
def mistake(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run with a mistake; the one message. No network is loaded for it."""
    from phosphene.cli import atlas_build

    def invoke(*arguments: object, loads: bool = False) -> str:
        with monkeypatch.context() as patch:
            if not loads:
                patch.setattr(atlas_build, "load_network", lambda *_: pytest.fail("the network was loaded"))
            result = run(*arguments)
        assert (result.exit_code, result.stdout) == (2, ""), result.output
        assert result.stderr.count("Error:") == 1
        return " ".join(result.stderr.split())

    return invoke


NET = "atlas_factory:net"


def test_an_atlas_is_built_looked_at_verified_and_a_picture_made_again(run: Callable[..., Any], tmp_path: Path) -> None:
    build = ("build", NET, "--out", "a", *QUICK, "--negative", "--diversity", 2, "--units", "0,3", "--no-compact")
    done = run(*build)
    assert done.exit_code == 0, done.stderr
    # conv1 and conv2 have units 0 and 3; of the three classes there is only 0.
    assert "a: 20 of 20 pictures, " in done.stdout
    assert "20 rendered in" in done.stdout
    assert "phosphene atlas serve a" in done.stderr
    again = run(*build, "--json")
    assert {k: json.loads(again.stdout)[k] for k in ("uri", "rendered", "failed", "damaged_jobs", "damaged")} == {
        "uri": "a",
        "rendered": 0,
        "failed": 0,
        "damaged_jobs": 0,
        "damaged": [],
    }

    told = json.loads(run("status", "a", "--json").stdout)
    assert told["pictures"] == {
        "planned": 20,
        "done": 20,
        "missing": 0,
        "ok": 20,
        "dead": 0,
        "not_finite": 0,
        "failed": 0,
    }
    assert [one["layer"] for one in told["layers"]][::3] == ["conv1", "conv2", "out"]
    assert "conv1" in run("status", "a").stdout
    assert "20 of 20 pictures" in run("status", "a").stdout

    assert json.loads(run("verify", "a", "--json").stdout)["whole"] is True
    packed = json.loads(run("compact", "a", "--json").stdout)
    assert (packed["files_after"], packed["files_before"] > 3) == (3, True)
    assert "3 files are 3 now" in run("compact", "a").stdout
    assert run("verify", "a").exit_code == 0

    made = run("render", "a", "conv2:3", "-o", "unit.png", "--variant", "negative", "--net", NET)
    assert made.exit_code == 0, made.stderr
    assert (tmp_path / "unit.png").exists()
    (row,) = [one for one in open_atlas("a").unit("conv2", 3) if one.variant == "negative"]
    assert f"score {-row.score:.4g}" in made.stdout  # type: ignore[operator]


def test_what_is_damaged_is_named_removed_and_made_again(run: Callable[..., Any], tmp_path: Path) -> None:
    build = (
        "build",
        NET,
        "--out",
        "a",
        *QUICK,
        "--layers",
        "conv1",
        "--layers",
        "conv2",
        "--batch-size",
        2,
        "--quality",
        50,
    )
    run(*build, "--no-compact")
    part = sorted((tmp_path / "a" / "data" / "conv1").iterdir())[0]
    part.write_bytes(part.read_bytes()[:-30])
    wrong = run("verify", "a")
    assert wrong.exit_code == 1
    assert "2 are missing; 1 files are damaged" in wrong.stdout
    assert part.name in wrong.stderr
    assert "build makes again" in wrong.stderr
    assert "is damaged; phosphene atlas verify says more" in run("status", "a").stderr
    told = json.loads(run("verify", "a", "--json").stdout)
    assert (told["whole"], len(told["missing"]), told["damaged"][0]["path"]) == (False, 1, f"data/conv1/{part.name}")
    assert "1 files were removed" in run("verify", "a", "--mend").stderr
    assert not part.exists()
    assert "2 missing" in run("status", "a").stdout
    assert "2 rendered" in run(*build).stdout
    assert run("verify", "a").exit_code == 0
    (pack,) = (tmp_path / "a" / "data" / "conv1").iterdir()
    data = bytearray(pack.read_bytes())
    data[data.index(b"WEBP") + 40] ^= 0xFF
    pack.write_bytes(bytes(data))
    assert run(*build, "--no-verify").stderr.count("damaged") == 0
    done = run(*build)
    assert "2 rendered" in done.stdout
    assert "1 jobs were damaged or not whole, and were rendered again." in done.stderr


def test_a_plan_says_how_many_how_long_and_how_large(run: Callable[..., Any], tmp_path: Path) -> None:
    said = run("build", NET, "--out", "a", *QUICK, "--layers", "conv2", "--seeds", 2, "--dry-run").stdout
    assert "net: 1 layers, 5 units, 10 pictures (2 positive each) in" in said
    assert "on one such worker" in said
    some = ("--layers", "conv1", "--layers", "out")
    told = json.loads(run("build", NET, "--out", "a", *QUICK, *some, "--dry-run", "--json").stdout)
    assert (told["pictures"], told["layers"]) == (7, {"conv1": 4, "out": 3})
    assert told["seconds"] > 0
    assert told["bytes"] > 1000
    assert not (tmp_path / "a").exists()


def test_a_plan_knows_what_is_there_already(
    run: Callable[..., Any], mistake: Callable[..., str], tmp_path: Path
) -> None:
    run("build", NET, "--out", "a", *QUICK, "--layers", "conv2", "--batch-size", 2)
    again = ("build", NET, "--out", "a", *QUICK, "--layers", "conv2", "--dry-run")
    assert "5 units, 5 pictures (positive each) in 3 jobs" in run(*again).stdout  # of two, as it was begun
    assert "5 of 5 pictures are in a already" in run(*again).stdout
    assert json.loads(run(*again, "--json").stdout)["there"] == 5
    assert "a holds an atlas of another plan" in mistake(*again, "--negative", loads=True)


def test_photographs_that_cannot_be_read_are_counted(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOSPHENE_CACHE", str(tmp_path / "cache"))
    for name in ("one", "two", "three"):
        write_png(
            tmp_path / "photographs" / f"{name}.png", np.random.default_rng(0).integers(0, 255, (14, 14, 3), np.uint8)
        )
    (tmp_path / "photographs" / "broken.png").write_bytes(b"no picture")
    build = ("build", NET, "--out", "a", *QUICK, "--layers", "conv1", "--images", "photographs")
    assert "1 photograph could not be read, and left out." in run(*build).stderr


def test_what_cannot_be_written_or_read_is_refused_before_anything_is_rendered(
    run: Callable[..., Any], mistake: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "afile").write_text("a file")
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "notes.txt").write_text("no photograph")
    build = ("build", NET, *QUICK, "--layers", "conv1", "--out")
    assert "afile is not an atlas: it is a file" in mistake(*build, "afile")
    assert "nothing can be written into afile/b: afile is a file" in mistake(*build, "afile/b").replace(
        str(tmp_path) + "/", ""
    )
    assert "no image can be read from folder photographs" in mistake(*build, "a", "--images", "photographs", loads=True)
    if not torch.cuda.is_available():
        for dry in ((), ("--dry-run",)):
            said = mistake(*build, "a", "--device", "cuda", *dry, loads=True)
            assert "device is 'cuda', which cannot be used here" in said
    assert "device is 'nonsense'; expected cpu" in mistake(*build, "a", "--device", "nonsense", "--dry-run", loads=True)
    assert not (tmp_path / "a").exists()
    run(*build, "a")
    assert "unit.jpg would not be a PNG" in mistake("render", "a", "conv1:0", "-o", "unit.jpg")
    assert not (tmp_path / "unit.jpg").exists()
    assert "nothing can be written into afile" in mistake("export", "a", "-o", "afile")


def test_an_alignment_that_could_not_be_written_is_refused_before_networks_run(
    run: Callable[..., Any], mistake: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "photographs").mkdir()
    write_png(tmp_path / "photographs" / "one.png", np.zeros((14, 14, 3), np.uint8))
    (tmp_path / "afile").write_text("a file")
    said = mistake("align", "nowhere", "nor-here", "--images", "photographs", "-o", "afile/alignment.parquet")
    assert "nothing can be written into afile: afile is a file; choose another folder" in said


MISTAKES = [
    (("--units", "a-b"), "--units has 'a'; expected all, or numbers such as 0-31,40"),
    (("--units", "5-2"), "--units is '5-2'"),
    (("--batch-size", "many"), "--batch-size has 'many'; expected a whole number, or auto"),
    (("--batch-size", "0"), "batch_size is 0"),
    (("--diversity", "1"), "diversity is 1; expected 0, or at least 2"),
    (("--recipe", "lucyd"), "there is no recipe 'lucyd'; did you mean lucid"),
    (("--recipe", "no.toml"), "no.toml cannot be read: there is no such file"),
    (("--images", "nowhere"), "nowhere"),
    (("--address", "10.0.0.1:6379"), "--address is '10.0.0.1:6379', which only Ray has; add --backend ray"),
    (("--workers", "2"), "--workers is 2, which only Ray has"),
    (("--out", "memory://a"), "--out is 'memory://a', which is gone when the command ends; expected a folder"),
]


@pytest.mark.parametrize(("options", "says"), MISTAKES, ids=["-".join(options).strip("-") for options, _ in MISTAKES])
def test_cheap_mistakes_are_told_before_the_network_is_loaded(
    mistake: Callable[..., str], options: tuple[str, ...], says: str
) -> None:
    assert says in mistake("build", NET, "--out", "a", *options)
    assert not Path("a").exists()


def test_an_address_that_does_not_answer_is_told_before_the_network_is_loaded(
    mistake: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that accepts, and then says nothing."""
    fsspec = pytest.importorskip("fsspec")
    from phosphene.store.atlas import opening

    answer = threading.Event()

    class Silent(fsspec.AbstractFileSystem):  # type: ignore[misc]
        protocol = "silent"
        cachable = False

        def info(self, path: str, **_: object) -> object:
            answer.wait(20)
            raise FileNotFoundError(path)

        cat_file = ls = info

    fsspec.register_implementation("silent", Silent, clobber=True)
    monkeypatch.setattr(opening, "_LIMIT_S", 0.3)
    try:
        started = perf_counter()
        assert "silent://a" in mistake("build", NET, "--out", "silent://a")
        assert perf_counter() - started < 10
    finally:
        answer.set()


def test_what_is_no_atlas_is_told_in_one_message(mistake: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "atlas.json").write_text('{"format": 99}')
    for command in ("status", "verify", "compact"):
        assert "there is no atlas at nowhere" in mistake(command, "nowhere")
        assert "file is not an atlas: it is a file" in mistake(command, "file")
        assert "newer" in mistake(command, "newer")
    assert "format 99" in mistake("build", NET, "--out", "newer")
    assert "Protocol not known: nonsense" in mistake("build", NET, "--out", "nonsense://a")


def test_units_that_the_atlas_does_not_have_are_told(run: Callable[..., Any], mistake: Callable[..., str]) -> None:
    run("build", NET, "--out", "a", *QUICK, "--layers", "conv1")
    assert "'conv9:1' is no unit of this atlas: write LAYER:NUMBER; it has conv1" in mistake("render", "a", "conv9:1")
    assert "'dog' is no number, and the units of conv1 have no names" in mistake("render", "a", "conv1:dog")
    assert "plans no picture of conv1:4" in mistake("render", "a", "conv1:4", "--net", NET)
    assert "allow it with --trust" in mistake("render", "a", "conv1:1")
    assert "--alignment is 'x' without another atlas" in mistake("export", "a", "--alignment", "x")


def test_another_plan_and_missing_pictures_are_told(run: Callable[..., Any], mistake: Callable[..., str]) -> None:
    run("build", NET, "--out", "a", *QUICK, "--layers", "conv1")
    assert "another plan" in mistake("build", NET, "--out", "a", *QUICK, "--layers", "conv2", loads=True)


def test_the_site_is_written(run: Callable[..., Any], tmp_path: Path) -> None:
    run("build", NET, "--out", "a", *QUICK, "--layers", "conv1")
    done = run("export", "a", "-o", "site", "--title", "Tiny")
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "site" / "index.html").exists()
    assert json.loads(run("export", "a", "-o", "site", "--json").stdout) == {"page": "site/index.html"}


def test_an_interrupt_says_that_the_same_command_goes_on(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from phosphene.atlas import building

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "build", interrupted)
    done = run("build", NET, "--out", "a", *QUICK)
    assert done.exit_code == 130
    assert "the same command goes on" in done.stderr


def test_the_bar_tells_pace_remaining_time_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    from phosphene.atlas import Progressed

    now = Progressed("rendering", 10, 100, 3, per_second=2.5, remaining_s=36.2)
    assert note_of(now) == "2.5/s, remaining 0:00:36, 3 failed"
    assert note_of(Progressed("packing", 0, None)) == ""
    with shown() as tell:
        tell(now)
    said = capsys.readouterr()
    assert said.out == ""
    assert "10/100" in said.err


def test_the_bar_does_not_keep_the_number_of_another_stage(capsys: pytest.CaptureFixture[str]) -> None:
    from phosphene.atlas import Progressed

    with shown() as tell:
        tell(Progressed("packing", 1, 1))
        tell(Progressed("joining", 0, None))
    said = capsys.readouterr().err
    assert "Joining what is known" in said
    assert "0/1" not in said


def test_numbers_are_read_strictly() -> None:
    assert numbers_of("all") == "all"
    assert numbers_of("0-2,7") == [0, 1, 2, 7]
    assert numbers_of("16", single=True) == 16
    for text in ("", "1-", "-1", "²", "1e3", "9" * 30, "0-99999999"):
        with pytest.raises(ParameterError, match="expected all, or numbers"):
            numbers_of(text)


def test_every_command_has_help(run: Callable[..., Any]) -> None:
    for command in atlas.registered_commands:
        done = run(command.callback.__name__ if command.name is None else command.name, "--help")  # type: ignore[union-attr]
        assert done.exit_code == 0
