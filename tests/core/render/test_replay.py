"""A saved picture is replayed from itself; a stranger's picture is data."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from members import OPTIMIZERS, RECIPES, TRANSFORMS, UNITS, canvas_for, first_channel, name_of
from networks import CPU, SIZE, conv_module, conv_net, quick, seeded, wrapped

import phosphene as ph
from phosphene import objectives, store
from phosphene.errors import NetworkError, ParameterError, RecipeError, StorageError, TrustError
from phosphene.render import display
from phosphene.render.run import usable_device


def replayed(result, tmp_path, net, **options):
    paths = [part.save(tmp_path / f"{i}.png")[0] for i, part in enumerate(result)]
    return [ph.replay(path, net=net, progress=False, **options) for path in paths]


def assert_identical(result, replays):
    for i, again in enumerate(replays):
        assert again.identical
        assert (again.max_difference, again.n_differing) == (0, 0)
        assert torch.equal(again.result.images[0], result.images[i])
        assert torch.equal(again.result.scores[0], result.scores[i])
        assert again.result.names == (result.names[i],)
        assert again.result.final_scores[0] == result.final_scores[i]


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_a_picture_alone_and_each_picture_of_a_batch_replay_bit_for_bit(channels, tmp_path):
    net = conv_net(channels)
    transforms = ph.transforms.random_views(0.5, rotate_deg=10.0, noise=0.1)
    options = {"transforms": transforms, "views": 2, "parameterization": ph.Fourier(17, 14, channels=channels)}
    one = quick(net, ph.Channel("conv2", 1), **options)
    assert_identical(one, replayed(one, tmp_path, net))
    many = quick(net, [ph.Channel("conv2", 0), ph.Neuron("conv2", 1), ph.Channel("conv2", 0)], batch_size=2, **options)
    assert_identical(many, replayed(many, tmp_path, net))


def test_pictures_of_every_unit_replay_bit_for_bit(tmp_path):
    net = conv_net()
    result = quick(net, UNITS)
    assert_identical(result, replayed(result, tmp_path, net))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name_of)
def test_pictures_of_every_optimizer_replay_bit_for_bit(optimizer, tmp_path):
    net = conv_net()
    result = quick(net, ph.Channel("conv2", 0), optimizer=optimizer)
    assert_identical(result, replayed(result, tmp_path, net))


@pytest.mark.parametrize("transform", [t for t in TRANSFORMS if t.kind() != "Custom"], ids=name_of)
def test_pictures_through_every_transform_replay_bit_for_bit(transform, tmp_path):
    net = conv_net()
    options = {
        "transforms": [transform, ph.transforms.ToInput()],
        "parameterization": canvas_for(transform, *net.input_size),
    }
    result = quick(net, ph.Channel("conv2", 0), **options)
    assert_identical(result, replayed(result, tmp_path, net))


@pytest.mark.parametrize("name", RECIPES)
def test_pictures_of_every_recipe_replay_bit_for_bit(name, tmp_path):
    net = conv_net()
    result = ph.render(net, ph.Channel("conv2", 0), recipe=ph.recipes.get(name, 24, 22), steps=2, progress=False)
    assert_identical(result, replayed(result, tmp_path, net))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_dtype_and_the_seed_are_replayed(dtype, tmp_path):
    net = conv_net()
    result = quick(net, ph.Channel("conv2", 0), dtype=dtype, seed=12345)
    assert_identical(result, replayed(result, tmp_path, net))


def test_a_start_image_is_replayed(tmp_path):
    net = conv_net()
    start = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(0))
    result = quick(net, ph.Channel("conv2", 0), parameterization=ph.Pixels(*SIZE, start=start))
    assert_identical(result, replayed(result, tmp_path, net))


def test_a_retouched_picture_is_told_from_the_replayed_one(tmp_path):
    net = conv_net()
    result = quick(net, ph.Channel("conv2", 0))
    pixels = display.to_uint8(result.images[0])
    pixels[2, 3, 0] ^= 4
    path = store.write_png(tmp_path / "a.png", pixels, result.documents[0])
    again = ph.replay(path, net=net, progress=False)
    assert not again.identical
    assert (again.max_difference, again.n_differing) == (4, 1)


def test_the_number_of_threads_is_restored_after_a_replay(tmp_path):
    net = conv_net()
    document = json.loads(json.dumps(quick(net, ph.Channel("conv2", 0)).documents[0]))
    result = quick(net, ph.Channel("conv2", 0))
    path = store.write_png(tmp_path / "a.png", display.to_uint8(result.images[0]), {**document, "threads": 2})
    before = torch.get_num_threads()
    ph.replay(path, net=net, progress=False)
    assert torch.get_num_threads() == before


def test_a_picture_of_a_wrapped_network_needs_the_network(tmp_path):
    (path,) = quick(conv_net(), ph.Channel("conv2", 0)).save(tmp_path / "a.png")
    for trust in (False, True):
        with pytest.raises(NetworkError, match=r"cannot be loaded by name: wrap it again and give it as net="):
            ph.replay(path, trust=trust, progress=False)


def test_other_weights_are_refused(tmp_path):
    (path,) = quick(conv_net(), ph.Channel("conv2", 0)).save(tmp_path / "a.png")
    other = wrapped(seeded(conv_module(), seed=1))
    with pytest.raises(
        RecipeError, match=r"network.digest: Sequential has other weights than the network of this picture"
    ):
        ph.replay(path, net=other, progress=False)


def test_a_document_of_another_picture_size_is_refused(tmp_path):
    net = conv_net()
    result = quick(net, ph.Channel("conv2", 0))
    path = store.write_png(tmp_path / "a.png", display.to_uint8(result.images[0])[:-1], result.documents[0])
    with pytest.raises(
        RecipeError, match=r"document: it describes a picture of \(12, 10, 3\), but the file holds \(11, 10, 3\)"
    ):
        ph.replay(path, net=net, progress=False)


def test_a_picture_without_a_document_is_refused(tmp_path):
    path = store.write_png(tmp_path / "a.png", display.to_uint8(torch.zeros(3, 4, 4)))
    with pytest.raises(StorageError, match="carries no phosphene document"):
        ph.replay(path, progress=False)


FACTORY = """
from pathlib import Path

Path(__file__).with_name("imported").touch()
from networks import conv_module, seeded

def make():
    Path(__file__).with_name("called").touch()
    return seeded(conv_module())

def own(activations):
    Path(__file__).with_name("ran").touch()
    return activations[:, 0].flatten(1).mean(1)
"""


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A module on the path that leaves a trace when it is imported."""
    (tmp_path / "strange_module.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("strange_module", None)


def traces(folder):
    return sorted(p.name for p in folder.iterdir() if p.name in ("imported", "called", "ran"))


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "factory", "target": "strange_module:make"},
        {"kind": "factory", "target": "strange_module:make", "weights": "weights.pth"},
        {"kind": "bundled", "name": "strange_module:make"},
        {"kind": "bundled", "target": "strange_module:make"},
        {"kind": "wrapped", "class": "strange_module.make", "target": "strange_module:make"},
        {"kind": "timm", "name": "strange_module:make"},
        {"kind": "torchvision", "name": "strange_module:make"},
        {"kind": "strange_module:make", "name": "strange_module:make"},
        {"kind": "", "name": "strange_module:make"},
    ],
    ids=lambda s: s["kind"] + "-" + "-".join(s),
)
def test_replaying_a_strangers_picture_imports_and_runs_nothing(source, stranger):
    result = quick(conv_net(), ph.Channel("conv2", 0))
    document = {**result.documents[0], "network": {**source, "digest": "0"}}
    path = store.write_png(stranger / "a.png", display.to_uint8(result.images[0]), document)
    with pytest.raises((TrustError, NetworkError, RecipeError)):
        ph.replay(path, progress=False)
    assert traces(stranger) == []
    assert "strange_module" not in sys.modules


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            {"kind": "factory", "target": "strange_module:make"},
            r"would import and call 'strange_module:make'; allow that with trust=True",
        ),
        ({"kind": "timm", "name": "resnet18"}, "would import timm and download weights; allow that with trust=True"),
        ({"kind": "torchvision", "name": "resnet18"}, "would import torchvision and download weights"),
    ],
)
def test_what_a_picture_would_do_is_said(source, message, stranger):
    result = quick(conv_net(), ph.Channel("conv2", 0))
    document = {**result.documents[0], "network": {**source, "digest": "0"}}
    path = store.write_png(stranger / "a.png", display.to_uint8(result.images[0]), document)
    with pytest.raises(TrustError, match=message):
        ph.replay(path, progress=False)


def test_a_factorys_picture_replays_with_trust(stranger):
    net = ph.load("strange_module:make", mean=0, std=1, input_size=SIZE, n_channels=3)
    result = quick(net, ph.Channel("conv2", 0))
    (path,) = result.save(stranger / "a.png")
    sys.modules.pop("strange_module")
    for name in traces(stranger):
        (stranger / name).unlink()
    with pytest.raises(TrustError, match="strange_module:make"):
        ph.replay(path, progress=False)
    assert traces(stranger) == []
    again = ph.replay(path, trust=True, progress=False)
    assert again.identical
    assert traces(stranger) == ["called", "imported"]


@pytest.mark.parametrize("where", ["objectives", "transforms"])
def test_a_picture_that_names_a_function_needs_trust(where, stranger):
    net = conv_net()
    result = quick(net, ph.Channel("conv2", 0))
    document = json.loads(json.dumps(result.documents[0]))
    if where == "objectives":
        document["objectives"] = [
            {"kind": objectives.Custom.kind(), "function": "strange_module:own", "layers": ["conv2"]}
        ]
        path_in = r"objectives\[0\].function"
    else:
        document["recipe"]["transforms"] = [{"kind": ph.transforms.Custom.kind(), "function": "strange_module:own"}]
        path_in = r"recipe.transforms\[0\].function"
    path = store.write_png(stranger / "a.png", display.to_uint8(result.images[0]), document)
    with pytest.raises(
        TrustError, match=path_in + r": would import 'strange_module:own' and run it; allow that with trust=True"
    ):
        ph.replay(path, net=net, progress=False)
    assert traces(stranger) == []


def test_custom_functions_at_the_top_of_a_module_replay_with_trust(tmp_path):
    net = conv_net()
    result = quick(net, objectives.Custom(first_channel, ("conv2",)), transforms=[TRANSFORMS[-1]])
    assert_identical(result, replayed(result, tmp_path, net, trust=True))


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("mean", 0.5, r"\[0.0, 0.0, 0.0\], but net= has \[0.5, 0.5, 0.5\]"),
        ("std", 0.25, r"\[1.0, 1.0, 1.0\], but net= has \[0.25, 0.25, 0.25\]"),
        ("input_size", (14, 10), r"\[12, 10\], but net= has \[14, 10\]"),
        ("value_range", (0, 255), r"\[0.*, 1.*\], but net= has \[0.*, 255.*\]"),
        ("channel_order", "BGR", "RGB, but net= has BGR"),
    ],
)
def test_the_same_weights_fed_otherwise_are_refused(tmp_path, name, value, shown):
    (path,) = quick(conv_net(), ph.Channel("conv2", 0)).save(tmp_path / "a.png")
    how = {"mean": 0, "std": 1, "input_size": SIZE, "n_channels": 3, name: value}
    other = ph.wrap(seeded(conv_module()), **how)
    with pytest.raises(RecipeError, match=rf"^network.{name}: the picture was made with {shown}"):
        ph.replay(path, net=other, progress=False)


def test_the_same_network_said_in_other_numbers_is_the_same(tmp_path):
    result = quick(conv_net(), ph.Channel("conv2", 0))
    net = ph.wrap(
        seeded(conv_module()), mean=(0.0, 0.0, 0.0), std=[1, 1, 1], input_size=list(SIZE), value_range=(0.0, 1.0)
    )
    assert_identical(result, replayed(result, tmp_path, net))


def absent_device():
    for name in ("mps", "xpu", "cuda"):
        try:
            usable_device(name)
        except ParameterError:
            return name
    return pytest.skip("every kind of device is here")


def test_a_picture_of_a_device_that_is_not_here_says_so(tmp_path):
    result, name, told = quick(conv_net(), ph.Channel("conv2", 0)), absent_device(), []
    path = store.write_png(
        tmp_path / "a.png", display.to_uint8(result.images[0]), {**result.documents[0], "device": name}
    )
    with pytest.raises(ParameterError, match=f"device is '{name}', which cannot be used here; expected 'cpu'"):
        ph.replay(path, net=conv_net(), progress=told.append)
    assert told == []
    assert usable_device("cpu") == CPU


def test_a_picture_of_more_threads_than_there_are_replays_with_those_that_are(tmp_path, monkeypatch):
    asked, real = [], torch.set_num_threads
    monkeypatch.setattr(torch, "set_num_threads", lambda n: asked.append(n) or real(n))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    result = quick(conv_net(), ph.Channel("conv2", 0))
    path = store.write_png(
        tmp_path / "a.png", display.to_uint8(result.images[0]), {**result.documents[0], "threads": 1000}
    )
    ph.replay(path, net=conv_net(), progress=False)
    assert asked == [2, torch.get_num_threads()]


def test_a_picture_with_a_regularizer_is_read_in_a_fresh_process(tmp_path):
    result = quick(conv_net(), ph.Channel("conv2", 0) - 0.1 * ph.TotalVariation())
    (path,) = result.save(tmp_path / "a.png")
    code = (
        "import sys\nfrom phosphene import store\nfrom phosphene.render.document import read_document\n"
        "print(read_document(store.read_png_document(sys.argv[1])).objectives[0])"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-400:]
    assert done.stdout.strip() == result.names[0]
