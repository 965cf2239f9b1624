"""Networks load by name with what their library knows; whatever is wrong is said."""

from __future__ import annotations

import inspect
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from phosphene.errors import ArgumentError, MissingExtraError, NetworkError, WeightsError
from phosphene.models.load import load, reload
from phosphene.models.sources.weights import read_weights
from phosphene.models.wrap import wrap

_TRACE = str(Path(__file__).parent / "was-run")
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of factories that can be imported by name."""
    (tmp_path / "my_factories.py").write_text(
        (Path(__file__).parent / "toys.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_factories", raising=False)
    return "my_factories"


def weights_file(path: Path, module: nn.Module) -> str:
    save_file(module.state_dict(), path)
    return str(path)


def test_the_bundled_network_knows_its_input_and_classes() -> None:
    net = load("efficientnet_lite0")
    assert (net.mean, net.std, net.value_range) == ((127.0,) * 3, (128.0,) * 3, (0.0, 255.0))
    assert (net.input_size, net.n_channels, len(net.labels), net.output_layer) == ((224, 224), 3, 1000, "classifier")
    assert net.source == {"kind": "bundled", "name": "efficientnet_lite0"}
    assert net.digest == reload(net.source).digest
    assert repr(net) == "Network('efficientnet_lite0', EfficientNetLite0, input 3 × 224 × 224)"


def test_the_bundled_networks_own_settings_cannot_be_replaced() -> None:
    with pytest.raises(ArgumentError, match="brings its own weights and normalisation, but weights, mean was given"):
        load("efficientnet_lite0", weights=False, mean=0.5)


def test_timms_configuration_is_used() -> None:
    pytest.importorskip("timm")
    net = load("timm/resnet10t", weights=False)
    assert (net.mean, net.std, net.input_size) == (*IMAGENET, (176, 176))
    assert net.labels[0].startswith("tench")
    assert net.class_index("espresso") == 967
    assert net.class_index("Egyptian Mau") == 285
    assert net.source == {"kind": "timm", "name": "resnet10t", "weights": False}
    vit = load("timm/vit_tiny_patch16_224", weights=False, input_size=(224, 224))
    assert (vit.mean, vit.std, vit.shapes["blocks.3"].layout) == ((0.5,) * 3, (0.5,) * 3, "NLC")
    assert not vit.any_size


def test_torchvisions_configuration_is_used() -> None:
    pytest.importorskip("torchvision")
    net = load("torchvision/resnet18", weights=False, mean=(0.5, 0.5, 0.5))
    assert (net.mean, net.std, net.input_size) == ((0.5,) * 3, IMAGENET[1], (224, 224))
    assert net.class_index("tabby cat") == net.class_index("tabby") == 281
    assert not net.module.training
    again = reload(net.source)
    assert (again.name, again.mean) == ("torchvision/resnet18", (0.5, 0.5, 0.5))


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_an_unknown_name_suggests(library: str) -> None:
    pytest.importorskip(library)
    with pytest.raises(NetworkError, match=f"{library} has no network 'resnet19'; did you mean .*resnet18"):
        load(f"{library}/resnet19")


def test_an_unknown_pretrained_tag_lists_the_known() -> None:
    pytest.importorskip("timm")
    with pytest.raises(NetworkError, match=r"no pretrained weights 'resnet18\.nonsense'; it has .*resnet18\.a1_in1k"):
        load("timm/resnet18.nonsense")


def failing(*_: Any, **__: Any) -> None:
    raise ConnectionError("no network here")


def test_weights_that_cannot_be_downloaded_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    timm, torchvision = pytest.importorskip("timm"), pytest.importorskip("torchvision")
    monkeypatch.setattr(timm, "create_model", failing)
    with pytest.raises(
        WeightsError, match=r"weights of timm/resnet18 cannot be downloaded \(ConnectionError\).*weights=False"
    ):
        load("timm/resnet18")
    monkeypatch.setattr(torchvision.models, "get_model", failing)
    with pytest.raises(WeightsError, match=r"weights of torchvision/resnet18 cannot be downloaded \(ConnectionError\)"):
        load("torchvision/resnet18")


def test_a_timm_network_without_weights_says_so() -> None:
    timm = pytest.importorskip("timm")
    name = next(name for name in timm.list_models() if not timm.list_models(f"{name}.*", pretrained=True))
    with pytest.raises(WeightsError, match=f"timm has no pretrained weights for {name}; give weights=False"):
        load(f"timm/{name}")


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_missing_extra_prints_the_install_line(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'phosphene\[{library}\]'"):
        load(f"{library}/resnet18")


@pytest.mark.parametrize("name", ["resnet50", "hub/resnet50", ""])
def test_a_name_of_no_known_form_lists_the_forms(name: str) -> None:
    with pytest.raises(NetworkError, match=r"no network is called .*expected 'efficientnet_lite0', 'timm/NAME'"):
        load(name)


def test_arguments_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(ArgumentError, match="expected a network's name, got int; for a module, use wrap"):
        inspect.unwrap(load)(5)
    with pytest.raises(ArgumentError, match=r"weights is True; expected None \(pretrained\), False"):
        load("efficientnet_lite0", weights=True)


def test_a_factory_is_called_and_its_weights_loaded(factories: str, tmp_path: Path) -> None:
    plain = load(f"{factories}:make_small", mean=0.5, std=0.25, input_size=8)
    with torch.no_grad():
        plain.module.fc.bias.fill_(7)
    path = weights_file(tmp_path / "weights.safetensors", plain.module)
    net = load(f"{factories}:make_small", weights=path, mean=0.5, std=0.25, input_size=8, labels=["a"] * 5)
    assert net.module.fc.bias.tolist() == [7] * 5
    again = reload(net.source)
    assert (again.digest, again.mean, again.std, again.input_size, again.labels) == (
        net.digest,
        net.mean,
        net.std,
        (8, 8),
        net.labels,
    )


def test_a_factory_without_normalisation_warns(factories: str) -> None:
    with pytest.warns(UserWarning, match="no normalisation was given for my_factories:make_small"):
        load(f"{factories}:make_small")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("no_such_module:make", "cannot import 'no_such_module'"),
        ("my_factories:make_smal", "has no 'make_smal'; did you mean make_small"),
        ("my_factories:make_number", "returned int, expected a torch.nn.Module"),
        ("my_factories:make_failing", "failed when called without arguments: OSError: the dog ate it"),
    ],
)
def test_a_factory_that_is_none_says_why(factories: str, name: str, match: str) -> None:
    with pytest.raises(NetworkError, match=match):
        load(name, mean=0)


def test_weights_that_do_not_fit_list_the_differences(factories: str, tmp_path: Path) -> None:
    state = load(f"{factories}:make_small", mean=0).module.state_dict()
    state["extra"] = state.pop("fc.bias")
    state["fc.weight"] = torch.zeros(2, 2)
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(
        WeightsError,
        match=r"missing: fc\.bias; unexpected: extra; of another shape: fc\.weight is \(2, 2\), expected \(5, 6\)",
    ):
        load(f"{factories}:make_small", weights=str(tmp_path / "other.safetensors"), mean=0)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_state_dicts_are_found_where_training_scripts_put_them(
    tmp_path: Path, wrapper: str | None, prefix: str
) -> None:
    tensors = {f"{prefix}a.weight": torch.ones(2), f"{prefix}b": torch.zeros(1)}
    torch.save({wrapper: tensors, "epoch": 3} if wrapper else tensors, tmp_path / "weights.pth")
    read = read_weights(str(tmp_path / "weights.pth"))
    assert list(read) == ["a.weight", "b"]
    assert read["a.weight"].tolist() == [1, 1]


class Hostile:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (_TRACE, "w")


def test_a_file_that_is_not_only_tensors_is_never_run(tmp_path: Path) -> None:
    torch.save({"a": Hostile()}, tmp_path / "hostile.pth")
    (tmp_path / "pickle.pth").write_bytes(pickle.dumps(Hostile(), protocol=2))
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    for name in ("hostile.pth", "pickle.pth", "broken.safetensors"):
        with pytest.raises(WeightsError, match=r"(?s)cannot be read as tensors .*never runs code from a weights file"):
            read_weights(str(tmp_path / name))
    assert not Path(_TRACE).exists()


def test_a_file_that_is_missing_or_holds_no_state_dict_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="are not a file; give the path"):
        read_weights(str(tmp_path / "nothing.pth"))
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="hold no state dict"):
        read_weights(str(tmp_path / "list.pth"))


def test_a_wrapped_module_cannot_be_reloaded() -> None:
    with pytest.raises(NetworkError, match=r"wrapped torch\.nn\.modules\.linear\.Identity.*give it as net="):
        reload(wrap(nn.Identity(), mean=0).source)
    with pytest.raises(NetworkError, match="kind 'spell' and name None; expected one that phosphene wrote"):
        reload({"kind": "spell"})
