"""An ensemble is its networks, each fed in its own way; contrasts and means over them; and it loads again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import phosphene as ph
from phosphene.errors import ArgumentError, NetworkError, TrustError
from phosphene.models.ensemble import ensemble, in_every
from phosphene.models.load import reload, sources
from phosphene.models.prepare import prepare
from phosphene.models.trusted import reload_trusted
from phosphene.objectives import Scene, compile_objectives

BUNDLED = {"kind": "bundled", "name": "efficientnet_lite0"}
HOW = (
    {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4), "input_size": (12, 10)},
    {"mean": 127.0, "std": 64.0, "value_range": (0.0, 255.0), "channel_order": "BGR", "input_size": (12, 10)},
)


def member(seed: int, how: dict, *, channels: int = 3, classes: int = 4) -> ph.Network:
    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Conv2d(channels, 5, 3, padding=1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, classes)
    )
    return ph.wrap(module, **how)


@pytest.fixture
def pair() -> Iterator[tuple[ph.Network, ph.Network]]:
    state = torch.get_rng_state()
    yield member(0, HOW[0]), member(1, HOW[1])
    torch.set_rng_state(state)


def images(n: int, *size: int) -> Tensor:
    return torch.rand(n, 3, *size, generator=torch.Generator().manual_seed(2))


def scored(net: ph.Network, objective: ph.objectives.Objective, shown: Tensor) -> Tensor:
    scorer = compile_objectives([objective] * len(shown), net)
    with torch.no_grad(), prepare(net, sorted(scorer.layers)) as forward:
        return scorer(Scene(shown, forward(shown), 1))


def test_every_layer_answers_as_in_its_own_network(pair) -> None:
    net, shown = ensemble(pair), images(3, 12, 10)
    with torch.no_grad(), prepare(net, ["0.0", "1.0", "1"]) as forward:
        together = forward(shown)
    for name, own, layer in (("0.0", pair[0], "0"), ("1.0", pair[1], "0"), ("1", pair[1], "")):
        with torch.no_grad(), prepare(own, [layer]) as forward:
            torch.testing.assert_close(together[name], forward(shown)[layer], rtol=1e-5, atol=1e-6)


def test_the_output_is_the_mean_of_the_networks(pair) -> None:
    net, shown = ensemble(pair), images(2, 12, 10)
    torch.testing.assert_close(net(shown), (pair[0](shown) + pair[1](shown)) / 2, rtol=1e-5, atol=1e-6)
    logit = (scored(pair[0], ph.Logit(2), shown) + scored(pair[1], ph.Logit(2), shown)) / 2
    torch.testing.assert_close(scored(net, ph.Logit(2), shown), logit, rtol=1e-5, atol=1e-6)
    assert net.output_layer == ""
    assert (net.input_size, net.n_channels, net.mean, net.std) == ((12, 10), 3, (0.0,) * 3, (1.0,) * 3)


def test_outputs_of_other_shapes_have_no_mean(pair) -> None:
    net = ensemble([pair[0], member(3, HOW[0], classes=7)])
    with pytest.raises(NetworkError, match="never called, or puts out no tensor"):
        net.layer("")
    assert net.layer("1").n_channels == 7


def test_an_objective_in_every_network_is_the_mean_of_it(pair) -> None:
    net, shown = ensemble(pair), images(3, 12, 10)
    unit = ph.Neuron("0", 3, (2, 5)) - 0.5 * ph.Direction("", [1.0, 0.0, -1.0, 2.0])
    expected = (scored(pair[0], unit, shown) + scored(pair[1], unit, shown)) / 2
    torch.testing.assert_close(scored(net, in_every(net, unit), shown), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_a_contrast_between_models_and_units_climbs_and_is_the_difference(pair, weight) -> None:
    net = ensemble(pair)
    contrast = ph.Channel("0.0", 1) - weight * ph.Channel("1.0", 3)
    shown = images(2, 12, 10)
    expected = scored(pair[0], ph.Channel("0", 1), shown) - weight * scored(pair[1], ph.Channel("0", 3), shown)
    torch.testing.assert_close(scored(net, contrast, shown), expected, rtol=1e-4, atol=1e-5)
    recipe = ph.recipes.get("mei", 12, 10, steps=20)
    after, before = (ph.render(net, contrast, recipe=recipe, steps=n, progress=False) for n in (20, 0))
    assert after.final_scores[0] > before.final_scores[0] + 0.05
    assert after.status == ("ok",)


def test_a_network_of_another_size_sees_the_same_field(pair) -> None:
    torch.manual_seed(5)
    small = ph.wrap(
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 5, 4)), mean=0, std=1, input_size=(6, 5), n_channels=3
    )
    net, shown = ensemble([pair[0], small]), images(2, 12, 10)
    half = nn.functional.interpolate(shown, (6, 5), mode="bilinear", align_corners=False, antialias=True)
    torch.testing.assert_close(net(shown), (pair[0](shown) + small(half)) / 2, rtol=1e-5, atol=1e-6)
    assert not net.any_size
    wide = ensemble([pair[0]], input_size=(24, 20))
    torch.testing.assert_close(wide(nn.functional.interpolate(shown, (24, 20))).shape, torch.Size([2, 4]))


def test_receptive_fields_are_those_of_the_members(pair) -> None:
    rows = {row.name: row.receptive_field for row in ph.layers(ensemble(pair))}
    own = {row.name: row.receptive_field for row in ph.layers(pair[1])}
    assert rows["1.0"] == own["0"]
    assert (rows["0.0"].size, rows["0.0"].offset, rows["1"].whole_image) == ((3, 3), (-1, -1), True)


def test_the_networks_stay_as_they_are(pair) -> None:
    for own in pair:
        own.module.train()
    before = [own.digest for own in pair]
    net = ensemble(pair)
    ph.render(net, ph.Channel("0.0", 1), recipe=ph.recipes.get("mei", 12, 10, steps=2), progress=False)
    assert [own.digest for own in pair] == before
    assert all(part.training for own in pair for part in own.module.modules())
    assert len({net.digest, *before}) == 3


@pytest.mark.slow
def test_an_ensemble_renders_loads_again_and_replays(tmp_path: Path) -> None:
    net = ensemble([ph.load("efficientnet_lite0"), ph.load("efficientnet_lite0")], input_size=(64, 64))
    assert json.loads(json.dumps(net.source)) == {"kind": "ensemble", "members": [BUNDLED] * 2, "input_size": [64, 64]}
    again = reload(json.loads(json.dumps(net.source)))
    assert (again.digest, again.input_size, again.labels) == (net.digest, (64, 64), net.labels)
    unit = in_every(net, ph.Channel("blocks.2", 3)) - ph.Channel("0.blocks.1", 1)
    result = ph.render(net, unit, recipe=ph.recipes.get("mei", 32, 32), steps=2, progress=False)
    result.save(tmp_path / "both.png")
    assert ph.replay(tmp_path / "both.png", progress=False).identical


def test_sources_are_those_of_all_members() -> None:
    timm = {"kind": "timm", "name": "resnet18"}
    inner = {"kind": "ensemble", "members": [timm, BUNDLED], "input_size": [4, 4]}
    assert list(sources({"kind": "ensemble", "members": [BUNDLED, inner]})) == [BUNDLED, timm, BUNDLED]
    assert list(sources(timm)) == [timm]


def test_only_trusted_documents_import_anything() -> None:
    evil = {"kind": "factory", "target": "antigravity:fly"}
    for source in (
        {"kind": "ensemble", "members": [BUNDLED, evil], "input_size": [4, 4]},
        {**evil, "members": [BUNDLED]},
    ):
        with pytest.raises(TrustError, match="import and call 'antigravity:fly'"):
            reload_trusted(source, trust=False)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"kind": "ensemble"}, "an ensemble's source has members None; expected a list of sources"),
        ({"kind": "ensemble", "members": []}, r"has members \[\]"),
        ({"kind": "ensemble", "members": ["a"]}, r"has members \['a'\]"),
        ({"kind": "ensemble", "members": [BUNDLED]}, "has input_size None; expected height and width in pixels"),
        ({"kind": "ensemble", "members": [BUNDLED], "input_size": [0, 5]}, r"has input_size \[0, 5\]"),
        ({"kind": "ensemble", "members": [BUNDLED] * 70, "input_size": [4, 4]}, "more than 64 sources"),
        ({"kind": "ensemble", "members": [{"kind": "wrapped", "class": "a.B"}], "input_size": [4, 4]}, "wrapped a.B"),
    ],
)
def test_a_damaged_source_is_refused(source, message) -> None:
    with pytest.raises(NetworkError, match=message):
        reload(source)


def test_what_is_no_ensemble_is_refused(pair) -> None:
    with pytest.raises(
        (ArgumentError, TypeError), match="made of networks from ph.load or ph.wrap; got Conv2d|networks"
    ):
        ensemble([nn.Conv2d(1, 1, 1)])  # type: ignore[list-item]
    with pytest.raises(NetworkError, match="an ensemble of no networks"):
        ensemble([])
    with pytest.raises(NetworkError, match="a network is in the ensemble twice"):
        ensemble([pair[0], pair[0]])
    with pytest.raises(NetworkError, match=r"take images of \[3, 1\] channels"):
        ensemble([pair[0], member(0, {"mean": 0, "std": 1}, channels=1)])
    with pytest.raises(ArgumentError, match="is no ensemble; make one with ensemble"):
        in_every(pair[0], ph.Channel("0", 1))
    with pytest.raises(ArgumentError, match="names no layer that could be looked for"):
        in_every(ensemble(pair), ph.Logit(1))
