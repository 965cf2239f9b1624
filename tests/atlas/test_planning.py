"""Plans: what an atlas is to hold, how long and how large, and what is refused before anything is rendered."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from atlas_rigs import QUICK, made, manifest_of
from networks import conv_net, linear_net, nhwc_net, seeded, token_net, wrapped
from torch import nn

import phosphene as ph
from phosphene.atlas import calibration
from phosphene.atlas.backends.ray import RayBackend
from phosphene.atlas.building import planned
from phosphene.atlas.calibration import Cost, calibrate
from phosphene.atlas.choosing import atlas_layers
from phosphene.atlas.jobs import jobs
from phosphene.atlas.rendering import Renderer
from phosphene.atlas.summary import Plan, duration, size_of
from phosphene.atlas.wishes import listed
from phosphene.errors import ArgumentError, LayoutError, ParameterError, UnitRangeError, UnknownLayerError
from phosphene.store.atlas import PictureFormat, create_atlas, open_atlas


def test_the_same_arguments_make_the_same_plan() -> None:
    first, second = manifest_of(conv_net(), negative=True), manifest_of(conv_net(), negative=True)
    assert replace(first, created=second.created) == second


def test_a_plan_says_what_the_network_is() -> None:
    net = conv_net()
    found = manifest_of(net)
    assert (found.network.name, found.network.digest, found.network.labels) == (net.name, net.digest, net.labels)
    assert [(one.name, one.shape, one.n_channels, one.is_output) for one in found.layers][:2] == [
        ("conv1", (4, 12, 10), 4, False),
        ("conv2", (6, 6, 5), 6, False),
    ]
    assert found.layers[-1].is_output
    assert found.layers[-1].units == ((0, 5),)
    assert {one.recipe for one in found.layers} == set(found.recipes)
    assert all(ph.Recipe.from_json(form).digest == digest for digest, form in found.recipes.items())


@pytest.mark.parametrize("make", [conv_net, token_net, nhwc_net])
def test_by_default_there_are_blocks_with_positions_and_the_output(make: Any) -> None:
    net = make()
    found = atlas_layers(net)
    assert found[-1] == net.output_layer
    assert list(found) == [name for name in net.shapes if name in found]
    assert len(found) <= 12


def test_of_many_blocks_the_last_of_each_resolution_is_there() -> None:
    assert atlas_layers(conv_net(), 3) == ("conv1", "conv2", "classifier")
    assert atlas_layers(linear_net()) == ("out",)


def test_channels_get_small_pictures_and_classes_more_views() -> None:
    found = ph.atlas.plan(conv_net(), size=12)
    recipes = {one.name: ph.Recipe.from_json(found.recipes[one.recipe]) for one in found.layers}
    assert recipes["conv2"] == ph.blocks.icon_of_channel(conv_net(), "conv2", size=12)
    classes = recipes["classifier"]
    assert (classes.views, classes.sizes, classes.steps) == (2, ((12, 12),), recipes["conv2"].steps)
    assert classes.parameterization == ph.recipes.get("class", 12, 12).parameterization
    own = ph.atlas.plan(conv_net(), recipe=ph.recipes.get("lucid", 12, 10))
    assert len(own.recipes) == 1


def test_of_convolution_norm_and_activation_the_norm_is_shown() -> None:
    def block(n: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, n, 3, padding=1), nn.BatchNorm2d(n), nn.ReLU(), nn.Conv2d(n, 3, 1), nn.ReLU())

    net = wrapped(seeded(nn.Sequential(block(4), nn.MaxPool2d(2), block(5))), size=(12, 10))
    assert atlas_layers(net) == ("0.1", "0.3", "2.1", "2.3")


def test_units_are_ranges_that_rise() -> None:
    found = manifest_of(conv_net(), layers=["conv2", "conv1"], units=[5, 0, 1, 3])
    assert [(one.name, one.units) for one in found.layers] == [
        ("conv1", ((0, 2), (3, 4))),
        ("conv2", ((0, 2), (3, 4), (5, 6))),
    ]
    mapped = manifest_of(conv_net(), layers=["conv1", "conv2"], units={"conv1": [2], "conv2": None})
    assert [one.units for one in mapped.layers] == [((2, 3),), ((0, 6),)]


def test_batches_depend_on_the_sizes_only() -> None:
    net = conv_net()
    assert ph.atlas.plan(net, size=12, layers="conv1").job_size == 7  # views of 12 × 12, and eight inputs of 12 × 10
    assert ph.atlas.plan(net, size=8).job_size == 8  # classes have two views each
    assert ph.atlas.plan(net, size=8, recipe=ph.recipes.get("class", 12, 10)).job_size == 2  # four views each


def test_what_renders_them_decides_how_many_are_rendered_together(tmp_path: Path) -> None:
    net, wishes = conv_net(), {"size": 12, "layers": ["conv1"]}
    assert ph.atlas.plan(net, device="cpu", **wishes).job_size == 7
    assert ph.atlas.plan(net, device="cuda:1", **wishes).job_size == 56
    assert ph.atlas.plan(net, device="cuda", batch_size=3, **wishes).job_size == 3
    there = str(tmp_path / "a")
    found = partial(planned, net, there, listed(wishes))
    assert found(device="auto")[0].job_size == (56 if torch.cuda.is_available() else 7)
    assert found(device="auto", backend=RayBackend("local", gpus_per_worker=0.5))[0].job_size == 56
    create_atlas(there, ph.atlas.plan(net, **wishes))
    manifest, was = found(device="cuda")
    assert was is not None
    assert manifest.job_size == 7  # as it was begun


def test_seeds_are_counted_or_given() -> None:
    assert manifest_of(conv_net(), seeds=3).seeds == (0, 1, 2)
    assert manifest_of(conv_net(), seeds=[7, 3]).seeds == (7, 3)


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"layers": ["conv9"]}, UnknownLayerError, "has no layer 'conv9'"),
    ({"layers": []}, ArgumentError, "expected names of layers"),
    ({"layers": [3]}, ArgumentError, "expected names of layers"),
    ({"units": "some"}, ArgumentError, "expected 'all'"),
    ({"units": 3}, ArgumentError, "are 3; expected numbers"),
    ({"units": [-1]}, ParameterError, "units is -1"),
    ({"units": [9]}, UnitRangeError, "unit 9 of layer 'conv1' was asked for, which has 4: use 0 to 3"),
    ({"units": [0, 7]}, UnitRangeError, "which has 6, and none of the layers has more: use 0 to 5"),
    ({"units": []}, UnitRangeError, "unit none of layer 'conv1'"),
    ({"units": {"conv1": [0, 4]}}, UnitRangeError, "unit 4 of layer 'conv1'"),
    ({"units": {"conv7": [0]}}, ArgumentError, "names the layer 'conv7', which is not in the atlas"),
    ({"device": "nonsense"}, ParameterError, "device is 'nonsense'; expected cpu, cuda"),
    ({"size": 4}, ParameterError, "size is 4; expected a whole number from 8"),
    ({"steps": -1}, ParameterError, "steps is -1"),
    ({"batch_size": 0}, ParameterError, "batch_size is 0"),
    ({"diversity": 1}, ParameterError, "diversity is 1; expected 0, or at least 2"),
    ({"seeds": 0}, ParameterError, "seeds is 0"),
    ({"seeds": [1, 1]}, ParameterError, "seeds that differ"),
    ({"seeds": []}, ParameterError, "1 to 1000 seeds"),
    ({"pictures": PictureFormat(0)}, ParameterError, "quality is 0"),
    ({"pictures": "png"}, ArgumentError, "pictures must be a PictureFormat"),
    ({"recipe": "lucid"}, ArgumentError, "recipe must be a Recipe"),
    (
        {"recipe": ph.Recipe(parameterization=ph.Pixels(12, 10, channels=1))},
        ParameterError,
        "makes images of 1 channels",
    ),
    ({"recipe": ph.Recipe(transforms=(len,))}, ParameterError, "cannot be kept as data"),
    ({"colour": True}, ArgumentError, "unknown argument colour"),
]


@pytest.mark.parametrize(
    ("wishes", "error", "match"), WRONG, ids=[f"{sorted(w)[0]}-{i}" for i, (w, _, _) in enumerate(WRONG)]
)
def test_a_plan_refuses(wishes: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        ph.atlas.plan(conv_net(), **wishes)


@pytest.mark.parametrize("door", ["plan", "build"])
def test_what_can_be_gone_through_once_only_does(tmp_path: Path, door: str) -> None:
    lists: dict[str, Any] = {"layers": ["conv1", "conv2"], "units": [0, 2], "seeds": [4, 7], "steps": 0}
    once = {key: (one for one in value) if isinstance(value, list) else value for key, value in lists.items()}
    if door == "build":
        made(conv_net(), tmp_path / "a", **once)
        found = open_atlas(str(tmp_path / "a")).manifest
    else:
        found = manifest_of(conv_net(), **once)
    assert replace(found, created="") == replace(manifest_of(conv_net(), **lists), created="")
    mapped = manifest_of(conv_net(), units={"conv1": (unit for unit in (1, 3))}, layers=["conv1"])
    assert mapped.layers[0].units == ((1, 2), (3, 4))


def test_a_plan_wants_a_network() -> None:
    with pytest.raises(ArgumentError, match="net must come from"):
        ph.atlas.plan(conv_net().module)  # type: ignore[arg-type]


def test_a_network_without_channels_has_no_atlas() -> None:
    net = wrapped(seeded(nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(0))), size=(12, 10))
    assert atlas_layers(net) == ("0",)
    with pytest.raises(LayoutError, match="no channel axis"):
        ph.atlas.plan(net, layers=["1"])


def test_a_plan_in_numbers_is_the_sum_over_its_layers() -> None:
    found = manifest_of(conv_net(), layers=["conv1", "classifier"], negative=True, diversity=2, seeds=2)
    costs = (Cost("conv1", 2.0, 1000), Cost("classifier", 0.5, 100))
    told = Plan.of(found, costs)
    assert told.n_pictures == 6 * 4 + 6 * 5
    assert told.seconds == 7 * (4 * 2.0 + 5 * 0.5)  # one more of each unit, which balances the diverse ones
    assert told.n_bytes == 6 * (4 * 1000 + 5 * 100)
    assert "Sequential: 2 layers, 9 units, 54 pictures (2 positive, 2 negative, 2 diverse each) in" in told.describe()
    assert "about 74 s on one such worker, about 27 kB" in told.describe()
    assert "  conv1: 4 units, icon 12 × 12, 3 steps" in told.describe()
    assert Plan.of(found).seconds is None
    assert "about" not in Plan.of(found).describe()


@pytest.mark.parametrize("quality", [None, 80])
def test_the_size_that_is_foretold_is_that_of_the_atlas(tmp_path: Path, quality: int | None) -> None:
    """Of an atlas that is packed, whose jobs are as large as they were planned."""
    how: dict[str, Any] = {"layers": ["2"], "size": 32, "steps": 16, "batch_size": 8}
    how |= {"pictures": PictureFormat(quality)}
    net = wrapped(seeded(nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Conv2d(4, 16, 3))))
    costs = calibrate(net, ph.atlas.plan(net, **how), device="cpu")
    made(net, tmp_path / "a", **how)
    folder = open_atlas(str(tmp_path / "a"))
    for cost in costs:
        files, n_rows = folder.index().layer(cost.layer).files, len(folder.index().layer(cost.layer).id)
        assert cost.n_bytes == pytest.approx(sum(one.size for one in files) / n_rows, rel=0.2)


def test_the_time_that_is_foretold_is_that_of_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that goes by the passes of the network, and of a recipe of several sizes the largest picture counts."""
    net = conv_net()
    passes = [0]
    handle = net.module.register_forward_pre_hook(lambda *_: passes.__setitem__(0, passes[0] + 1))
    monkeypatch.setattr(calibration, "perf_counter", lambda: float(passes[0]))
    (cost,) = calibrate(net, ph.atlas.plan(net, **QUICK | {"steps": 100, "layers": ["conv1"]}))
    passes[0] = 0
    manifest = ph.atlas.plan(net, **QUICK | {"steps": 100, "layers": ["conv1"]})
    Renderer(net, manifest, torch.device("cpu")).rows(next(jobs(manifest)))
    handle.remove()
    assert cost.seconds == pytest.approx(passes[0] / 4, rel=0.1)


def test_without_steps_there_is_something_to_pay() -> None:
    net = conv_net()
    still = ph.atlas.plan(net, **QUICK | {"steps": 0, "layers": ["conv1"]})
    (cost,) = calibrate(net, still)
    assert 0 < cost.seconds < 5
    assert 900 < cost.n_bytes < 2000


def test_times_and_sizes_are_for_people() -> None:
    assert [duration(s) for s in (0.4, 89, 100, 5400, 360_000)] == ["0 s", "89 s", "2 min", "1 h 30 min", "100 h 0 min"]
    assert [size_of(n) for n in (999, 1234, 56_789, 2e9, 3e16)] == [
        "999 bytes",
        "1.2 kB",
        "56.8 kB",
        "2.0 GB",
        "3e+04 TB",
    ]
