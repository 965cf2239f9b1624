"""A search for units by an image, against answers worked out one by one."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from networks import activations, conv_net, nhwc_net, token_net
from PIL import Image

from phosphene.blocks.searching import AnswerTable, channel_means, units_driven_by
from phosphene.errors import ArgumentError, ImageError, ParameterError, UnknownLayerError
from phosphene.store.atlas.records import Answers, UnitFacts

FRACTIONS = (0.1, 0.5, 0.5, 0.9)


def answers_of(values, fractions=FRACTIONS):
    quantiles = np.quantile(values, fractions)
    moments = (float(values.mean()), float(values.std()), float(values.min()), float(values.max()))
    return Answers(len(values), *moments, float((values > 0).mean()), fractions, tuple(quantiles.tolist()), (), ())


def facts_of(net, layers, n=50, seed=0):
    images = torch.rand(n, net.n_channels, *net.input_size, generator=torch.Generator().manual_seed(seed))
    for layer in layers:
        values = means(net, layer, images)
        for unit in range(values.shape[1]):
            yield UnitFacts(layer, unit, answers=answers_of(values[:, unit]))


def means(net, layer, images):
    found, layout = activations(net, layer, images), net.layer(layer).layout
    axes = {"NC": (), "NCHW": (2, 3), "NHWC": (1, 2), "NLC": (1,)}[layout]
    return (found.mean(axes) if axes else found).numpy()


@pytest.mark.parametrize(
    ("make", "layers"),
    [(conv_net, ["conv1", "act2", "classifier"]), (token_net, ["mix", "head"]), (nhwc_net, ["norm", "conv"])],
)
def test_channel_means_are_those_of_the_network_itself_in_every_layout(make, layers):
    net = make()
    image = torch.rand(net.n_channels, *net.input_size, generator=torch.Generator().manual_seed(3))
    found = channel_means(net, layers, image)
    for layer in layers:
        np.testing.assert_allclose(found[layer].numpy(), means(net, layer, image[None])[0], rtol=1e-4, atol=1e-5)


def test_units_come_by_percentile_and_then_by_distance_from_the_mean():
    net, layers = conv_net(), ["conv1", "act2", "classifier"]
    facts = list(facts_of(net, layers))
    image = torch.ones(3, 12, 10)
    image[1] = 0
    found = units_driven_by(net, image, AnswerTable.of(facts), n=100)
    values = {layer: means(net, layer, image[None])[0] for layer in layers}
    expected = {}
    for one in facts:
        value = float(values[one.layer][one.unit])
        percentile = one.answers.percentile(value)
        expected[one.layer, one.unit] = (value, percentile, (value - one.answers.mean) / one.answers.std)
    assert {(one.layer, one.unit) for one in found} == set(expected)
    assert len(found) == 15
    for one in found:
        assert (one.value, one.percentile, one.spread) == pytest.approx(
            expected[one.layer, one.unit], rel=1e-3, abs=1e-4
        )
    keys = [(-one.percentile, -one.spread) for one in found]
    assert keys == sorted(keys)
    assert len({one.percentile for one in found}) < len(found)
    assert units_driven_by(net, image, AnswerTable.of(facts), n=4) == found[:4]


def test_percentiles_are_those_of_the_answers_themselves():
    random = np.random.default_rng(0)
    samples = [
        random.normal(size=40),
        np.round(random.normal(size=40)),
        np.zeros(40),
        np.maximum(random.normal(size=40), 0),
    ]
    facts = [UnitFacts("x", unit, answers=answers_of(sample)) for unit, sample in enumerate(samples)]
    table = AnswerTable.of(facts)
    for value in (-9.0, -1.0, 0.0, 1e-9, 0.3, 1.0, 9.0, *table.points["x"].flatten().tolist()):
        expected = [one.answers.percentile(value) for one in facts]
        np.testing.assert_allclose(table.percentiles("x", np.full(4, value)), expected, atol=1e-9)


def test_units_without_answers_or_that_never_change_are_left_out():
    net = conv_net()
    facts = [*facts_of(net, ["conv1"]), UnitFacts("act2", 0), UnitFacts("act2", 1, answers=answers_of(np.zeros(9)))]
    found = units_driven_by(net, torch.rand(3, 12, 10), AnswerTable.of(facts))
    assert {(one.layer, one.unit) for one in found} == {("conv1", i) for i in range(4)}
    assert units_driven_by(net, torch.rand(3, 12, 10), AnswerTable.of([UnitFacts("act2", 0)])) == ()


def test_an_image_may_be_a_file_or_its_bytes(tmp_path):
    net = conv_net()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 25, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    (tmp_path / "x.png").write_bytes(buffer.getvalue())
    found = [
        channel_means(net, ["conv1"], image)["conv1"] for image in (tmp_path / "x.png", buffer.getvalue(), picture)
    ]
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("image", [b"", b"GIF89a nonsense", torch.full((3, 4, 4), 7.0), 3, "nowhere.png"])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ImageError, match="image"):
        channel_means(conv_net(), ["conv1"], image)


def test_bad_arguments_are_refused():
    net, image = conv_net(), torch.rand(3, 12, 10)
    with pytest.raises(ParameterError, match="n is 0; expected a whole number from 1"):
        units_driven_by(net, image, AnswerTable.of(()), n=0)
    with pytest.raises(UnknownLayerError, match="has no layer 'conv9'"):
        units_driven_by(net, image, AnswerTable.of([UnitFacts("conv9", 0, answers=answers_of(np.arange(9.0)))]))
    uneven = [UnitFacts("x", i, answers=answers_of(np.arange(9.0), FRACTIONS[: 3 + i])) for i in range(2)]
    with pytest.raises(ArgumentError, match="different numbers of quantiles"):
        AnswerTable.of(uneven)
