"""``phosphene session``: from new to report, in this process and in others that are killed."""

from __future__ import annotations

import csv
import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import phosphene as ph
from phosphene import store
from phosphene.sessions import Session

SMALL = ("--space", "fourier:12x12", "--population", 6)
WAIT_S = 60.0


@pytest.fixture
def references(tmp_path: Path) -> Path:
    folder = tmp_path / "references"
    for i in range(2):
        store.write_png(folder / f"picture{i}.png", np.random.default_rng(i).integers(0, 256, (20, 16, 3), np.uint8))
    return folder


def trials(directory: Path) -> list[tuple[str, int, tuple[float, ...]]]:
    return sorted((row.stimulus, row.trial, row.response) for row in Session.read(directory).history().trials)


def test_a_session_goes_from_new_to_report(run, references: Path, tmp_path: Path) -> None:
    directory = tmp_path / "pilot"
    made = run(
        "session",
        "new",
        directory,
        *SMALL,
        "--optimizer",
        "cmaes",
        "--optimizer",
        "plain=random",
        "--references",
        references,
    )
    assert made.exit_code == 0, made.output
    assert made.stdout.strip() == str(directory)
    assert "cmaes: 6 candidates a generation, codes of 504 numbers" in made.stderr
    simulated = run("session", "simulate", directory, "--gabor", "--noise", "poisson:2", "--generations", 3)
    assert simulated.exit_code == 0, simulated.output
    assert len(re.findall(r"generation \d: cmaes .* plain .*reference", simulated.stderr)) == 3
    status = json.loads(run("session", "status", directory, "--json").stdout)
    assert status["generation"] == 3
    assert status["n_trials"] == 3 * (6 + 6 + 2)
    assert [thread["name"] for thread in status["threads"]] == ["cmaes", "plain"]
    shown = run("session", "status", directory).stdout
    assert "generation 3 has not begun" in shown
    assert "42 trials, 0 of them lost, 0 too late" in shown
    reported = run("session", "report", directory, "-o", tmp_path / "pilot.html")
    assert reported.exit_code == 0, reported.output
    assert [line.split()[0] for line in reported.stdout.splitlines()] == ["page", "trials", "generations"]
    assert "Threads compared" in (tmp_path / "pilot.html").read_text(encoding="utf-8")
    assert (tmp_path / "pilot-trials.csv").read_text(encoding="utf-8").count("\n") == 43


def test_the_options_become_the_plan(run, references: Path, tmp_path: Path) -> None:
    look = ("--size", "32x24", "--canvas", "60x80", "--background", 0.25, "--aperture", "circle", "--softness", 3)
    place = (
        "--position",
        "20,30.5",
        "--grayscale",
        "--repeats",
        2,
        "--seed",
        5,
        "--channels",
        "0,2",
        "--missing",
        "again",
        "--attempts",
        4,
        "--references-per-block",
        1,
        "--interleave",
        "randomly",
    )
    made = run("session", "new", tmp_path / "s", *SMALL, "--references", references, *look, *place)
    assert made.exit_code == 0, made.output
    session = Session.read(tmp_path / "s")
    plan, (thread,) = session.plan, session.plan.threads
    assert (plan.repeats, plan.order_seed, plan.missing, thread.seed, thread.channels) == (2, 5, "again", 5, (0, 2))
    assert (plan.attempts, plan.references_per_block, plan.interleave) == (4, 1, "randomly")
    display = plan.display
    assert (display.height, display.width, display.size, display.position) == (60, 80, (32, 24), (20.0, 30.5))
    assert (display.background, display.aperture, display.softness, display.grayscale) == (0.25, "circle", 3.0, True)
    assert sorted(session.references) == ["picture0", "picture1"]


def test_evolved_images_can_be_held_at_one_contrast(run, tmp_path: Path) -> None:
    assert run("session", "new", tmp_path / "s", *SMALL, "--contrast", 0.1).exit_code == 0
    with Session.open(tmp_path / "s") as session:
        for one in session.ask():
            assert float(one.image.mean()) == pytest.approx(0.5, abs=1e-3)
            assert float(one.image.std(correction=0)) == pytest.approx(0.1, abs=1e-3)


def test_reference_images_are_shown_in_the_size_of_the_others(run, references: Path, tmp_path: Path) -> None:
    run("session", "new", tmp_path / "s", *SMALL, "--references", references)
    assert Session.read(tmp_path / "s").plan.display.size == (12, 12)


def test_stimuli_of_several_sizes_are_answered(run, references: Path, tmp_path: Path) -> None:
    from phosphene.exchange import Display
    from phosphene.optimizers import RandomSearch
    from phosphene.sessions import Plan, Thread
    from phosphene.spaces import as_space

    space = as_space(ph.Fourier(12, 12, sd=1.0))
    plan = Plan((Thread("a", space, RandomSearch(population=3)),), display=Display())
    Session.create(tmp_path / "s", plan, references)
    result = run("session", "simulate", tmp_path / "s", "--gabor", "--generations", 1)
    assert result.exit_code == 0, result.output
    assert len(trials(tmp_path / "s")) == 5


def test_optimizers_of_one_kind_get_numbers(run, tmp_path: Path) -> None:
    texts = ("--optimizer", "cmaes", "--optimizer", "cmaes:iso", "--optimizer", "genetic:xdream")
    assert run("session", "new", tmp_path / "s", "--space", "pixels:8x8:grey", *texts).exit_code == 0
    threads = Session.read(tmp_path / "s").plan.threads
    assert [thread.name for thread in threads] == ["cmaes", "cmaes2", "genetic"]
    assert threads[2].optimizer.population == 20


def test_advance_ends_a_generation_with_what_is_in(run, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL)
    from phosphene.sessions import Trial

    with Session.open(directory) as session:
        session.tell([Trial(one.stimulus, (1.0,), one.trial) for one in session.ask()[:4]])
    assert "generation 0 is under way, 2 presentations wait" in run("session", "status", directory).stdout
    ended = run("session", "advance", directory)
    assert ended.exit_code == 0
    assert "generation 0 is over; cmaes learned from it" in ended.stderr
    assert "4 of 6 candidates of cmaes have a score" in ended.stderr
    assert Session.read(directory).status().generation == 1


def test_advance_takes_in_the_responses_that_lie_in_the_folder(run, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL)
    assert run("session", "run", directory, "--timeout", 0).exit_code == 2  # the folder is written, nobody answers
    answer_as_a_rig(directory / "blocks" / "gen_0000", n=4)
    ended = run("session", "advance", directory)
    assert ended.exit_code == 0, ended.output
    assert "4 trials were taken in" in ended.stderr
    assert "generation 0 is over; cmaes learned from it" in ended.stderr
    assert "4 of 6 candidates of cmaes have a score" in ended.stderr
    status = Session.read(directory).status()
    assert (status.generation, status.n_trials, status.n_lost) == (1, 4, 0)


def test_a_whole_file_ends_one_generation_and_not_two(run, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL)
    assert run("session", "run", directory, "--timeout", 0).exit_code == 2
    answer_as_a_rig(directory / "blocks" / "gen_0000")
    ended = run("session", "advance", directory)
    assert "generation 0 is over; cmaes learned from it" in ended.stderr
    assert Session.read(directory).status().generation == 1


def test_advance_without_any_score_says_that_nothing_was_learned(run, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL)
    assert run("session", "run", directory, "--timeout", 0).exit_code == 2
    ended = run("session", "advance", directory)
    assert "generation 0 is over; no search learned from it" in ended.stderr


def test_advance_refuses_to_throw_away_a_file_that_cannot_be_read(run, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL)
    assert run("session", "run", directory, "--timeout", 0).exit_code == 2
    file = directory / "blocks" / "gen_0000" / "responses.csv"
    file.write_text("stimulus,response\ncmaes_g0000c000,many\n")
    refused = run("session", "advance", directory)
    assert refused.exit_code == 2
    assert "correct it, or move it out of the folder" in " ".join(refused.stderr.split())
    assert Session.read(directory).status().generation == 0
    file.unlink()
    assert run("session", "advance", directory).exit_code == 0
    assert Session.read(directory).status().generation == 1


def test_a_session_that_is_over_says_how_to_go_on(run, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL, "--generations", 2)
    assert run("session", "simulate", directory, "--gabor").exit_code == 0
    for command in (("resume",), ("run",), ("serve",), ("simulate", "--gabor")):
        again = run("session", command[0], directory, *command[1:])
        assert again.exit_code == 0
        assert "2 of 2 generations are over: go on with --generations 4" in again.stderr
        assert "token" not in again.output
    assert Session.read(directory).status().generation == 2


def test_references_are_cut_to_the_middle_part_and_the_report_has_what_was_shown(run, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 60, 3), np.uint8)
    store.write_png(tmp_path / "pictures" / "wide.png", pixels)
    store.write_png(tmp_path / "pictures" / "tall,er.png", np.ascontiguousarray(pixels.swapaxes(0, 1)))
    store.write_png(tmp_path / "pictures" / "square.png", np.ascontiguousarray(pixels[:, :20]))
    (tmp_path / "pictures" / "._square.png").write_bytes(b"the companion of a file")
    made = run("session", "new", tmp_path / "s", *SMALL, "--references", tmp_path / "pictures")
    assert made.exit_code == 0, made.output
    said = " ".join(made.stderr.split())
    assert "wide.png has 20 × 60 pixels (height × width): its middle 20 × 20 are shown" in said
    assert "square.png has" not in said
    assert "reference images are shown with 12 × 12 pixels" in said
    found = Session.read(tmp_path / "s").references
    assert sorted(found) == ["square", "tall-er", "wide"]
    assert (found["wide"] == levels(pixels[:, 20:40])).all()
    assert (found["tall-er"] == levels(pixels.swapaxes(0, 1)[20:40])).all()
    assert (found["square"] == levels(pixels[:, :20])).all()


def levels(pixels: np.ndarray[Any, Any]) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy()).float() / 255


@pytest.mark.parametrize("how", [("pixels:8x8:grey",), ("pixels:8x8", "--grayscale")])
def test_reference_images_are_grey_among_grey_ones(run, tmp_path: Path, how: tuple[str, ...]) -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    store.write_png(tmp_path / "pictures" / "red.png", red)
    made = run("session", "new", tmp_path / "s", "--space", *how, "--references", tmp_path / "pictures")
    assert "8 × 8 pixels, in grey" in made.stderr
    image = Session.read(tmp_path / "s").references["red"]
    assert (image == round(0.299 * 255) / 255).all()


def test_many_cut_references_are_told_in_a_few_lines(run, tmp_path: Path) -> None:
    for i in range(9):
        store.write_png(tmp_path / "pictures" / f"p{i}.png", np.zeros((10, 20, 3), np.uint8))
    made = run("session", "new", tmp_path / "s", *SMALL, "--references", tmp_path / "pictures")
    assert made.stderr.count("its middle 10 × 10 are shown") == 5
    assert "4 more reference images are cut in the same way" in made.stderr


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [((7, 9), (1, 1), (7, 7)), ((9, 7), (2, 1), (9, 4)), ((5, 8), (5, 8), (5, 8)), ((1, 50), (64, 64), (1, 1))],
)
def test_the_middle_part_is_the_largest_of_that_shape(
    shape: tuple[int, int], size: tuple[int, int], expected: tuple[int, int]
) -> None:
    from phosphene.cli.session_references import middle

    rows, columns = torch.arange(shape[0]), torch.arange(shape[1])
    image = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).float()
    part = middle(image, size)
    assert tuple(part.shape[1:]) == expected
    for axis, side in enumerate(shape):  # what is cut off on both sides differs by a pixel at most
        before, after = float(part[axis].min()), side - 1 - float(part[axis].max())
        assert abs(before - after) <= 1


MADE_UP = """
import pathlib, torch
def network():
    pathlib.Path("imported.txt").touch()
    net = torch.nn.Sequential()
    net.add_module("conv", torch.nn.Conv2d(3, 2, 3))
    net.add_module("act", torch.nn.ReLU())
    return net
"""


@pytest.fixture
def foreign(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session from somebody else, beside a module that leaves ``imported.txt`` when it is run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "made_up_net.py").write_text(MADE_UP)
    assert run("session", "new", "s", *SMALL).exit_code == 0
    return tmp_path


def last_run(directory: Path, **how: Any) -> None:
    (directory / "last-run.json").write_text(json.dumps({"generations": 1, **how}))


@pytest.mark.parametrize("net", ["made_up_net:network", "timm/resnet18", "torchvision/resnet18"])
def test_resume_runs_no_network_of_a_last_run_without_trust(mistake, foreign: Path, net: str) -> None:
    last_run(foreign / "s", by="neuron", neuron={"net": net, "unit": "conv:1"})
    assert "allow that with --trust" in mistake("session", "resume", "s")
    assert not (foreign / "imported.txt").exists()
    assert Session.read(foreign / "s").status().n_trials == 0


@pytest.mark.filterwarnings("ignore:no normalisation was given")
def test_resume_runs_it_with_trust_and_simulate_as_it_is_named(run, foreign: Path) -> None:
    last_run(foreign / "s", by="neuron", neuron={"net": "made_up_net:network", "unit": "conv:1"})
    resumed = run("session", "resume", "s", "--trust")
    assert resumed.exit_code == 0, resumed.output
    assert (foreign / "imported.txt").exists()
    named = ("--net", "made_up_net:network", "--unit", "conv:1", "--trust")
    simulated = run("session", "simulate", "s", *named, "--generations", 2)
    assert simulated.exit_code == 0, simulated.output
    assert Session.read(foreign / "s").status().generation == 2


def test_resume_binds_to_what_others_reach_only_when_told_again(
    mistake, run, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound: list[str] = []
    monkeypatch.setattr("phosphene.web.session_server.serve", lambda *_, host, **__: bound.append(host))
    last_run(foreign / "s", by="http", host="0.0.0.0")
    assert "say it again with --host 0.0.0.0" in mistake("session", "resume", "s")
    assert "say it again with --host 0.0.0.0" in mistake("session", "resume", "s", "--http")
    assert bound == []
    assert run("session", "resume", "s", "--host", "0.0.0.0").exit_code == 0
    assert run("session", "resume", "s", "--host", "127.0.0.1").exit_code == 0
    assert run("session", "resume", "s").exit_code == 0  # remembered since
    assert bound == ["0.0.0.0", "127.0.0.1", "127.0.0.1"]


def test_how_files_are_waited_for_is_remembered(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("phosphene.sessions.run_folder", lambda _, **how: asked.append(how))
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL)
    assert run("session", "run", directory, "--settle", 2, "--patience", 7.5, "--timeout", 90).exit_code == 0
    assert run("session", "resume", directory).exit_code == 0
    assert run("session", "run", directory).exit_code == 0
    found = [(how["settle_s"], how["patience_s"], how["timeout_s"]) for how in asked]
    assert found == [(2.0, 7.5, 90.0), (2.0, 7.5, 90.0), (0.5, 60.0, None)]


def test_resume_goes_on_as_the_session_was_run_last(run, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL, "--generations", 4)
    assert run("session", "simulate", directory, "--gabor", "--generations", 2).exit_code == 0
    with (directory / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"n":99,"le')
    resumed = run("session", "resume", directory, "--generations", 4)
    assert resumed.exit_code == 0, resumed.output
    assert "2 generations are over, 12 trials on record, 0 of them lost." in resumed.stderr
    assert "cut off while it was written" in resumed.stderr
    assert Session.read(directory).status().generation == 4


def test_a_damaged_memory_of_the_last_run_is_no_obstacle(run, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL)
    for text in ("", "[]", '{"by": 3}', '{"by": "neuron"}', '{"by": "neuron", "neuron": {"seed": "x"}}', "\xff"):
        (directory / "last-run.json").write_text(text, encoding="utf-16" if text == "\xff" else "utf-8")
        result = run("session", "simulate", directory, "--gabor", "--generations", 1)
        assert result.exit_code == 0, result.output


def test_a_neuron_answers_through_the_folder_just_as_directly(run, references: Path, tmp_path: Path) -> None:
    found = []
    for name, how in (("direct", ()), ("folder", ("--folder",))):
        directory = tmp_path / name
        shown = ("--canvas", "20x20", "--references", references, "--repeats", 2, "--size", 12)
        assert run("session", "new", directory, *SMALL, *shown).exit_code == 0
        result = run("session", "simulate", directory, "--gabor", "--noise", "poisson:2", "--generations", 2, *how)
        assert result.exit_code == 0, result.output
        found.append(trials(directory))
    assert found[0] == found[1]
    assert len(list((tmp_path / "folder" / "blocks").glob("gen_*/responses.csv"))) == 2


def test_a_unit_of_a_network_answers(run, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, "--space", "fourier:16x16", "--population", 3)
    how = ("--net", "efficientnet_lite0", "--unit", "blocks.1:3", "--generations", 1)
    result = run("session", "simulate", directory, *how)
    assert result.exit_code == 0, result.output
    assert len(trials(directory)) == 3


# --- processes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``phosphene`` as a process; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "phosphene", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        log = tmp_path / f"process{len(running)}.txt"
        with log.open("w") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait(WAIT_S)
        if process.stdout is not None:
            process.stdout.close()


def until(condition: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """What the condition gives as soon as it gives something; the process must not end before."""
    end = time.monotonic() + WAIT_S
    while not (found := condition()):
        assert time.monotonic() < end, "it took too long"
        assert process.poll() is None, "the process has ended"
        time.sleep(0.01)
    return found


@pytest.mark.slow
def test_a_killed_session_resumes_and_ends_like_one_that_was_not(run, start, tmp_path: Path) -> None:
    neuron = ("--gabor", "--noise", "poisson:2", "--seed", 3)
    for name in ("whole", "killed"):
        assert run("session", "new", tmp_path / name, *SMALL, "--repeats", 2, "--generations", 40).exit_code == 0
    assert run("session", "simulate", tmp_path / "whole", *neuron).exit_code == 0
    directory = tmp_path / "killed"
    process = start("session", "simulate", directory, *neuron)
    journal = directory / "journal.jsonl"
    until(lambda: journal.read_bytes().count(b"\n") > 40, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait(WAIT_S) == -signal.SIGKILL
    over = Session.read(directory).status().generation
    assert 0 < over < 40
    resumed = run("session", "resume", directory)
    assert resumed.exit_code == 0, resumed.output
    assert f"{over} generations are over" in resumed.stderr
    assert trials(directory) == trials(tmp_path / "whole")
    whole, killed = (Session.read(tmp_path / name).recommended().code for name in ("whole", "killed"))
    assert bool((whole == killed).all())


@pytest.mark.slow
def test_a_rig_that_only_knows_files_runs_a_session_through_folders(
    run, start, references: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "s"
    shown = ("--repeats", 2, "--references", references, "--canvas", "20x24")
    assert run("session", "new", directory, *SMALL, *shown).exit_code == 0
    process = start("session", "run", directory, "--generations", 2)
    for generation in range(2):
        folder = directory / "blocks" / f"gen_{generation:04d}"
        until(folder.is_dir, process)
        answer_as_a_rig(folder)
    assert process.wait(WAIT_S) == 0
    status = Session.read(directory).status()
    assert (status.generation, status.n_trials, status.n_lost) == (2, 2 * 2 * (6 + 2), 0)
    # The response was the mean level of red in the PNG that was shown.
    for row in Session.read(directory).history().trials:
        picture = store.read_png_pixels(directory / "blocks" / f"gen_{row.generation:04d}" / f"{row.stimulus}.png")
        assert picture.shape == (20, 24, 3)
        assert row.response == (pytest.approx(picture[..., 0].mean(), abs=1e-4),)


def answer_as_a_rig(folder: Path, n: int | None = None) -> None:
    """What the documentation tells a rig to do, with the standard library and NumPy alone."""
    with (folder / "manifest.csv").open(newline="") as file:
        shown = list(csv.DictReader(file))
    lines = ["stimulus,trial,response"]
    for one in [*reversed(shown)][:n]:
        spikes = store.read_png_pixels(folder / one["file"])[..., 0].mean()
        lines.append(f"{one['stimulus']},{one['trial']},{spikes:.6f}")
    (folder / "responses.tmp").write_text("\n".join(lines) + "\n")
    (folder / "responses.tmp").rename(folder / "responses.csv")


@pytest.mark.slow
def test_an_interrupt_leaves_the_session_intact_and_says_how_to_go_on(run, start, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL)
    process = start("session", "run", directory)
    until((directory / "blocks" / "gen_0000").is_dir, process)
    second = run("session", "resume", directory)
    assert second.exit_code == 2
    assert f"open in another process (number {process.pid})" in " ".join(second.stderr.split())
    assert f"phosphene session status {directory}" in " ".join(second.stderr.split())
    assert run("session", "status", directory).exit_code == 0  # looking is always allowed
    process.send_signal(signal.SIGINT)
    assert process.wait(WAIT_S) == 130
    said = (tmp_path / "process0.txt").read_text()
    assert f"phosphene session resume {directory}" in said
    assert "Traceback" not in said
    answer_as_a_rig(directory / "blocks" / "gen_0000")
    resumed = run("session", "resume", directory, "--generations", 1)
    assert resumed.exit_code == 0, resumed.output
    assert "Generation 0 is under way: 6 presentations wait" in resumed.stderr


def test_advance_asks_the_process_that_waits_in_a_folder(run, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL)
    assert run("session", "run", directory, "--timeout", 0).exit_code == 2
    folder = directory / "blocks" / "gen_0000"
    with Session.open(directory):
        asked = run("session", "advance", directory)
        assert asked.exit_code == 0, asked.output
        assert "is asked to end generation 0" in asked.stderr
        assert (folder / "advance").read_bytes() == b""
    ended = run("session", "run", directory, "--generations", 1, "--timeout", WAIT_S)
    assert ended.exit_code == 0, ended.output
    assert Session.read(directory).status().generation == 1


def test_advance_refuses_where_nobody_would_look_into_the_folder(mistake, run, tmp_path: Path) -> None:
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL)
    with Session.open(directory):
        said = mistake("session", "advance", directory)
        assert f"open in another process (number {os.getpid()})" in said
        last_run(directory, by="http")
        assert "POST /advance ends a generation" in mistake("session", "advance", directory)
    assert not list(directory.glob("blocks/*/advance"))


@pytest.mark.slow
def test_serve_prints_address_and_token_is_killed_and_resumed_and_ends_when_all_is_told(
    run, start, tmp_path: Path
) -> None:
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    directory = tmp_path / "s"
    run("session", "new", directory, *SMALL, "--generations", 1)
    served = start("session", "serve", directory, "--token", "a-secret-of-mine-1234")
    ask = client(served)
    assert ask.keywords["token"] == "a-secret-of-mine-1234"
    stimuli = asked(ask)
    assert len(stimuli) == 6
    ask("/tell", body={"trials": [answer(one) for one in stimuli[:4]]})
    served.kill()
    served.wait(WAIT_S)
    resumed = start("session", "resume", directory)
    ask = client(resumed)
    left = asked(ask)
    assert {one["id"] for one in left} == {one["id"] for one in stimuli[4:]}
    ask("/tell", body={"trials": [answer(one) for one in stimuli]})  # telling again does no harm
    assert resumed.wait(WAIT_S) == 0
    assert "4 trials on record" in (tmp_path / "process1.txt").read_text()
    status = Session.read(directory).status()
    assert (status.generation, status.n_trials) == (1, 6)


def client(process: subprocess.Popen[str]) -> functools.partial[Any]:
    """Requests to the address that the process prints, with the token that it prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"Live page: (http://127\.0\.0\.1:\d+)/#token=(\S+)", line)
    assert found, line
    return functools.partial(request, address=found[1], token=found[2])


def request(path: str, *, address: str, token: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(address + path, data, headers), timeout=WAIT_S) as answer:
        return json.load(answer)


def asked(ask: Callable[..., Any]) -> list[dict[str, Any]]:
    return next(value for value in ask("/ask").values() if isinstance(value, list))


def answer(one: dict[str, Any]) -> dict[str, Any]:
    return {"id": one["id"], "trial": one["trial"], "response": float(one["id"][-3:])}


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--space", "furier:8x8"), "no space; did you mean fourier?"),
        (("--space", "zzz"), "expected dcgan, fourier:64x64"),
        (("--space", "fourier"), "expected fourier:64x64 or fourier:64x64:grey"),
        (("--space", "fourier:8"), None),
        (("--space", "fourier:0x8"), "height x width in pixels, such as 64x64"),
        (("--space", "fourier:8x8:red"), "expected fourier:64x64 or fourier:64x64:grey"),
        (("--space", "upconv-fc6"), "needs the weights; write upconv-fc6:PATH"),
        (("--space", "upconv-fc9:a.pt"), "did you mean upconv-fc"),
        (("--space", "upconv-fc6:gone.pt"), "weights 'gone.pt' are not a file"),
        (("--space", "taesd"), "needs the weights; write taesd:PATH"),
        (("--space", "gone.json"), "gone.json cannot be read: there is no such file"),
        (("--optimizer", "cmeas"), "no optimizer; did you mean cmaes"),
        (("--optimizer", "hill"), "expected cmaes, cmaes:iso"),
        (("--optimizer", "gone.toml"), "gone.toml cannot be read: there is no such file"),
        (("--optimizer", "a=cmaes", "--optimizer", "A=random"), "names that differ even where case does not count"),
        (("--optimizer", "reference=cmaes"), "a name other than that of the reference images"),
        (("--channels", "a"), "--channels is 'a'; expected numbers of channels from 0"),
        (("--channels", "1,1"), "each channel once"),
        (("--size", "big"), "--size is 'big'; expected height x width"),
        (("--canvas", "8x0"), "--canvas is '8x0'; expected height x width"),
        (("--position", "3"), "--position is '3'; expected row and column"),
        (("--position", "900,900", "--canvas", "20x20"), "would lie outside the canvas"),
        (("--aperture", "gaussian"), "the Gaussian's standard deviation"),
        (("--references", "nowhere"), "nowhere is no folder"),
    ],
)
def test_a_mistake_is_one_message_and_no_session(
    mistake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str | None, run
) -> None:
    monkeypatch.chdir(tmp_path)
    own = () if options[0] == "--space" else SMALL[:2]
    if message is None:
        assert run("session", "new", "s", *own, *options).exit_code == 0
        return
    assert message in mistake("session", "new", "s", *own, *options)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "option", [("--population", "1"), ("--repeats", "0"), ("--background", "2"), ("--missing", "no"), ("--seed", "-1")]
)
def test_values_out_of_range_are_refused(run, tmp_path: Path, option: tuple[str, str]) -> None:
    result = run("session", "new", tmp_path / "s", "--space", "fourier:8x8", *option)
    assert result.exit_code == 2
    assert option[0] in result.stderr
    assert not (tmp_path / "s").exists()


def test_reference_folders_that_hold_no_pictures_are_refused(mistake, tmp_path: Path) -> None:
    folder = tmp_path / "references"
    folder.mkdir()
    assert "holds no reference images" in mistake("session", "new", tmp_path / "s", *SMALL, "--references", folder)
    (folder / "a.png").write_bytes(b"no picture")
    assert "is no picture that can be read" in mistake("session", "new", tmp_path / "s", *SMALL, "--references", folder)
    assert not (tmp_path / "s").exists()


def test_a_directory_that_is_taken_is_refused_and_left_alone(mistake, run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("all of it")
    assert "choose a folder that is new or empty" in mistake("session", "new", tmp_path / "other", *SMALL)
    assert (tmp_path / "other" / "thesis.txt").read_text() == "all of it"
    run("session", "new", tmp_path / "s", *SMALL)
    before = (tmp_path / "s" / "session.json").read_bytes()
    assert "holds a session already" in mistake("session", "new", tmp_path / "s", *SMALL, "--seed", 7)
    assert (tmp_path / "s" / "session.json").read_bytes() == before


@pytest.mark.parametrize(
    "command", [("run",), ("serve",), ("resume",), ("status",), ("advance",), ("report",), ("simulate", "--gabor")]
)
def test_what_is_no_session_is_refused_and_nothing_is_written(
    mistake, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "empty").mkdir()
    for directory in (tmp_path / "empty", tmp_path / "gone"):
        said = mistake("session", command[0], directory, *command[1:])
        assert "holds no session: it has no session.json; begin one with: phosphene session new" in said
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_report_that_cannot_be_written_says_so(mistake, run, tmp_path: Path) -> None:
    run("session", "new", tmp_path / "s", *SMALL)
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder" in mistake("session", "report", tmp_path / "s", "-o", tmp_path / "file" / "a.html")


def test_advance_before_anything_was_asked_is_refused(mistake, run, tmp_path: Path) -> None:
    run("session", "new", tmp_path / "s", *SMALL)
    assert "begin it with: phosphene session run" in mistake("session", "advance", tmp_path / "s")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "expected --gabor, or --net NET with --unit UNIT"),
        (("--gabor", "--net", "efficientnet_lite0"), "expected --gabor, or --net NET with --unit UNIT"),
        (("--net", "efficientnet_lite0"), "expected --gabor, or --net NET with --unit UNIT"),
        (("--gabor", "--noise", "poison:3"), "no noise; did you mean poisson?"),
        (("--gabor", "--noise", "poisson:e"), "'e' is no number"),
        (("--gabor", "--noise", "poisson:0"), "scale"),
        (("--net", "efficientnet_lite0", "--unit", "bloks.1:3"), "did you mean blocks.1"),
    ],
)
def test_neurons_that_do_not_exist_are_refused(
    mistake, run, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    run("session", "new", tmp_path / "s", *SMALL)
    assert message in mistake("session", "simulate", tmp_path / "s", *options)


def test_a_rig_that_fails_ends_the_run_with_its_message(
    mistake, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phosphene.cli import session_rig
    from phosphene.errors import StorageError

    def broken(*_: object) -> None:
        raise StorageError("the projector is off; switch it on")

    monkeypatch.setattr(session_rig, "answer_folder", broken)
    run("session", "new", tmp_path / "s", *SMALL)
    result = run("session", "simulate", tmp_path / "s", "--gabor", "--folder", "--generations", 1)
    assert result.exit_code == 2
    assert "the projector is off" in result.stderr
