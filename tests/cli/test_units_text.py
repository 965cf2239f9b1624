"""The text of units: what it means in a network, and what is said when it means nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import phosphene as ph
from phosphene.cli.units_text import parse_units
from phosphene.errors import LayoutError, UnitFormatError, UnitRangeError, UnknownClassError, UnknownLayerError
from phosphene.models import Network


class Tokens(nn.Module):
    """(n, 3, 32, 32) to 16 tokens of 6 channels, then 4 logits."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 8, 8)
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.patches(images).flatten(2).transpose(1, 2)).mean(1))


def wrap(module: nn.Module, labels: tuple[str, ...] = ()) -> Network:
    return ph.wrap(module, mean=(0.5,) * 3, std=(0.5,) * 3, input_size=(32, 32), labels=labels)


@pytest.fixture(scope="module")
def convolutional() -> Network:
    module = nn.Sequential()
    module.add_module("features", nn.Conv2d(3, 12, 3, 2, 1))
    module.add_module("pool", nn.AdaptiveAvgPool2d(1))
    module.add_module("flat", nn.Flatten())
    module.add_module("classifier", nn.Linear(12, 5))
    return wrap(module, ("espresso", "tiger cat", "7up", "goldfish", "jack-o'-lantern"))


@pytest.fixture(scope="module")
def tokens() -> Network:
    return wrap(Tokens())


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("features", [ph.Layer("features")]),
        ("features:7", [ph.Channel("features", 7)]),
        ("features:007", [ph.Channel("features", 7)]),
        ("features:7@3,4", [ph.Neuron("features", 7, (3, 4))]),
        ("features:0-2", [ph.Channel("features", index) for index in (0, 1, 2)]),
        ("features:1,4,9", [ph.Channel("features", index) for index in (1, 4, 9)]),
        ("features:1,3-5,3", [ph.Channel("features", index) for index in (1, 3, 4, 5)]),
        ("features:0,1@2,3", [ph.Neuron("features", 0, (2, 3)), ph.Neuron("features", 1, (2, 3))]),
        ("flat:11", [ph.Channel("flat", 11)]),
        ("classifier", [ph.Layer("classifier")]),
        ("classifier:3", [ph.Logit(3)]),
        ("classifier:0-1", [ph.Logit(0), ph.Logit(1)]),
        ("classifier:espresso", [ph.Logit("espresso")]),
        ("classifier:Tiger Cat", [ph.Logit("Tiger Cat")]),
        ("classifier:jack-o'-lantern", [ph.Logit("jack-o'-lantern")]),
        (" features:7 ", [ph.Channel("features", 7)]),
    ],
)
def test_a_text_means_units(convolutional: Network, text: str, units: list[ph.Unit]) -> None:
    assert [named.unit for named in parse_units(convolutional, [text])] == units


def test_a_token_is_one_number(tokens: Network) -> None:
    assert [named.unit for named in parse_units(tokens, ["norm:5@7"])] == [ph.Neuron("norm", 5, (7,))]


@given(index=st.integers(0, 11), row=st.integers(0, 15), column=st.integers(0, 15))
def test_a_unit_alone_is_written_as_it_is_read(convolutional: Network, index: int, row: int, column: int) -> None:
    for text in (f"features:{index}", f"features:{index}@{row},{column}"):
        (named,) = parse_units(convolutional, [text])
        assert named.text == text == str(named.unit)


def test_a_unit_that_is_named_twice_is_rendered_once(convolutional: Network) -> None:
    assert [named.text for named in parse_units(convolutional, ["features:2", "features:1-3"])] == [
        "features:2",
        "features:1",
        "features:3",
    ]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", UnitFormatError, "'' is no unit: write blocks.8:7"),
        ("features:", UnitFormatError, "'features:' is no unit"),
        ("features:x", UnitFormatError, "'x' is no channel of features"),
        ("features:espresso", UnitFormatError, "known only at the network's last layer"),
        ("features:-1", UnitFormatError, "'-1' is no channel"),
        ("features:5-2", UnitFormatError, "runs backwards; write 2-5"),
        ("features:7@3", UnitFormatError, "expected row,column as in @3,4"),
        ("features:7@3,4,5", UnitFormatError, "expected row,column"),
        ("features:7@,", UnitFormatError, "is no position"),
        ("feature:7", UnknownLayerError, "features"),
        ("features:12", UnitRangeError, "features has 12 channels, 0 to 11; 12 is beyond"),
        ("features:3-99999999999999", UnitRangeError, "features has 12 channels"),
        ("features:" + "9" * 10_000, UnitRangeError, "features has 12 channels"),
        ("features:7@16,0", UnitRangeError, "features has 16 x 16 positions"),
        ("flat:7@3,4", LayoutError, "a vector of 12 numbers, which has no positions"),
        ("classifier:5", UnitRangeError, "has 5 classes, 0 to 4; 5 is beyond"),
        ("classifier:expresso", UnknownClassError, "espresso"),
    ],
)
def test_a_text_that_means_nothing_says_why(
    convolutional: Network, text: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        parse_units(convolutional, [text])


def test_a_token_beyond_the_layer_says_how_many(tokens: Network) -> None:
    with pytest.raises(UnitRangeError, match="norm has 16 positions"):
        parse_units(tokens, ["norm:5@16"])
    with pytest.raises(UnitFormatError, match="expected one token as in @7"):
        parse_units(tokens, ["norm:5@3,4"])
