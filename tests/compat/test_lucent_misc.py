"""What else a Lucent notebook calls: the reducer of channels, pictures in notebooks, layers' names, the zoo."""

from __future__ import annotations

import base64
import io
import random
import re
import sys
from types import SimpleNamespace

import networks
import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.compat.lucent import modelzoo, util
from phosphene.compat.lucent.misc.channel_reducer import ChannelReducer
from phosphene.compat.lucent.misc.io import collapse_channels, show, showing
from phosphene.compat.lucent.modelzoo.util import get_model_layers
from phosphene.errors import ImageError, MissingExtraError, NetworkError, ParameterError


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages that were shown in a stand-in for a notebook."""
    pages: list[str] = []
    display = SimpleNamespace(HTML=lambda page: page, display=pages.append)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object, display=display))
    return pages


def pictures(page: str) -> list[np.ndarray]:
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in re.findall(r"base64,([^\"]+)\"", page)
    ]


def test_a_picture_is_shown_in_the_notebook_and_not_changed(notebook: list[str]) -> None:
    array = np.eye(5)
    show(array)
    assert np.array_equal(pictures(notebook[0])[0], np.eye(5) * 255)
    assert np.array_equal(array, np.eye(5))


def test_several_pictures_carry_their_labels(notebook: list[str]) -> None:
    show([np.eye(5)] * 3, labels=["one", "two", "<three>"])
    show(np.zeros((2, 4, 5, 3)), w=40)
    assert len(pictures(notebook[0])) == 3
    assert all(label in notebook[0] for label in ("one", "two", "&lt;three&gt;"))
    assert [p.shape for p in pictures(notebook[1])] == [(4, 5, 3)] * 2
    assert "width:40px" in notebook[1]


def test_the_domain_is_black_to_white(notebook: list[str]) -> None:
    showing.image(np.array([[2.0, 3.0, 4.0]]))
    show(np.array([[-1.0, 0.5, 2.0]]))
    assert pictures(notebook[0])[0].tolist() == [[0, 128, 255]]
    assert pictures(notebook[1])[0].tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_any_number_of_channels_is_shown(notebook: list[str], channels: int) -> None:
    show(np.random.default_rng(0).uniform(-1, 1, (4, 5, channels)))
    assert pictures(notebook[0])[0].shape == ((4, 5) if channels == 1 else (4, 5, 4 if channels == 4 else 3))


def test_outside_a_notebook_nothing_is_shown() -> None:
    show(np.eye(5))


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ImageError, match=r"shape \(3,\) is no picture"):
        show(np.zeros((2, 3)).tolist())


def test_hues_are_the_colour_wheel() -> None:
    for angle, color in ((0, [1, 0, 0]), (120, [0, 1, 0]), (240, [0, 0, 1]), (360, [1, 0, 0])):
        assert np.allclose(collapse_channels.hue_to_rgb(angle), color)
    assert np.allclose(collapse_channels.hue_to_rgb(30, warp=False)[2], 0)


def test_sparse_channels_keep_their_colours_and_lengths() -> None:
    assert np.allclose(collapse_channels.sparse_channels_to_rgb(np.eye(3)), np.eye(3), atol=1e-4)
    values = np.random.default_rng(1).uniform(0, 2, (4, 6))
    lengths = np.linalg.norm(collapse_channels.sparse_channels_to_rgb(values), axis=-1)
    assert np.allclose(lengths, np.linalg.norm(values, axis=-1), rtol=1e-3)


def test_signs_have_hues_of_their_own() -> None:
    plus, minus = collapse_channels.collapse_channels(np.array([[1.0], [-1.0]]))
    assert np.allclose(plus, [1, 0, 0], atol=1e-3)
    assert np.allclose(minus, [0, 2**-0.5, 2**-0.5], atol=1e-3)


class TestChannelReducer:
    @pytest.fixture(autouse=True)
    def _sklearn(self) -> None:
        pytest.importorskip("sklearn")

    acts = np.random.default_rng(0).uniform(size=(4, 6, 5, 16))

    @pytest.mark.parametrize("name", ["NMF", "PCA", "FastICA"])
    def test_names_are_scikit_learns(self, name: str) -> None:
        assert type(ChannelReducer(reduction_alg=name)._reducer).__name__ == name

    def test_a_class_will_do(self) -> None:
        from sklearn.decomposition import PCA

        assert isinstance(ChannelReducer(2, PCA)._reducer, PCA)

    def test_an_unknown_name_is_refused_with_the_nearest(self) -> None:
        with pytest.raises(ParameterError, match="'NFM', which sklearn.decomposition does not have; did you mean NMF"):
            ChannelReducer(reduction_alg="NFM")

    @pytest.mark.parametrize("n", [None, "string", 0, -1, 1.5, True])
    def test_the_number_of_components_is_a_whole_one(self, n: object) -> None:
        with pytest.raises(ValueError, match="n_components is"):
            ChannelReducer(n_components=n)  # type: ignore[arg-type]

    def test_fitting_and_reducing_at_once_or_one_after_the_other_agree(self) -> None:
        settings = {"init": "nndsvd", "max_iter": 2000}
        at_once = ChannelReducer(3, **settings).fit_transform(self.acts)
        reducer = ChannelReducer(3, **settings)
        reducer.fit(self.acts)
        assert at_once.shape == (4, 6, 5, 3)
        assert np.allclose(reducer.transform(self.acts), at_once, atol=1e-2)

    def test_calling_fits_first(self) -> None:
        reducer = ChannelReducer(3, "PCA")
        assert np.allclose(reducer(self.acts), reducer(self.acts))
        assert np.allclose(reducer(self.acts[:1]), reducer.transform(self.acts[:1]))

    def test_the_channels_must_be_those_that_were_fitted(self) -> None:
        reducer = ChannelReducer(3, "PCA")
        reducer.fit(self.acts)
        with pytest.raises(ValueError, match="16"):
            reducer.transform(self.acts[..., :5])

    def test_what_was_fitted_is_there_without_its_underscore(self) -> None:
        reducer = ChannelReducer(3, "PCA")
        with pytest.raises(AttributeError, match="fit it first"):
            reducer.components  # noqa: B018
        reducer.fit(self.acts)
        assert reducer.components.shape == (3, 16)
        assert "components" in dir(reducer)


def test_the_reducer_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(MissingExtraError, match=r"phosphene\[sklearn\]"):
        ChannelReducer()


def test_layers_are_listed_parents_first_with_joined_names() -> None:
    layers = get_model_layers(networks.seeded(networks.conv_module()))
    assert layers == ["conv1", "act1", "conv2", "act2", "pool", "flat", "classifier"]
    nested = torch.nn.Sequential(torch.nn.Sequential(torch.nn.ReLU()), torch.nn.Identity())
    assert get_model_layers(nested) == ["0", "0_0", "1"]
    assert get_model_layers(nested, getLayerRepr=True)["0_0"] == "ReLU()"


def test_the_zoo_is_torchvisions() -> None:
    models = pytest.importorskip("torchvision.models")
    assert modelzoo.resnet18 is models.resnet18
    everything: dict[str, object] = {}
    exec("from phosphene.compat.lucent.modelzoo import *", everything)
    assert everything["googlenet"] is models.googlenet
    assert everything["util"].get_model_layers is get_model_layers  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="resnet_18"):
        modelzoo.resnet_18  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute '__wrapped__'"):
        modelzoo.__wrapped__  # noqa: B018


def test_the_zoo_needs_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(MissingExtraError, match=r"phosphene\[torchvision\]"):
        modelzoo.resnet18  # noqa: B018


def test_lucents_own_network_is_not_ours_to_give() -> None:
    with pytest.raises(NetworkError, match="Lucent's inceptionv1 is not part of phosphene"):
        modelzoo.inceptionv1  # noqa: B018


def test_a_seed_is_torchs_only() -> None:
    before = random.getstate()
    util.set_seed(4)
    first = torch.rand(3)
    util.set_seed(4)
    assert torch.equal(first, torch.rand(3))
    assert random.getstate() == before
