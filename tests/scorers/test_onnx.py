"""ONNX models as black boxes, against the torch modules that they were exported from and hand-built graphs."""

from __future__ import annotations

import hashlib
import json
import sys
import warnings

import numpy as np
import pytest
import torch
from networks import SIZE, Tokens, conv_module, conv_net, random_images, seeded
from torch import nn

import phosphene as ph
from phosphene.errors import (
    ArgumentError,
    ImageError,
    MissingExtraError,
    NetworkError,
    ParameterError,
    RecipeError,
    StorageError,
    TrustError,
    UnitRangeError,
)
from phosphene.scorers import OnnxScorer, as_scorer, reopen, units

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
helper = onnx.helper
CPU = torch.device("cpu")


def export(path, module, shape=(1, 3, *SIZE), dynamic=True):
    axes = {"image": {0: "n"}, "logits": {0: "n"}} if dynamic else {}
    with warnings.catch_warnings():
        # The newer exporter needs a library more, and much longer.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (torch.rand(shape),), str(path), dynamo=False, input_names=["image"], output_names=["logits"], dynamic_axes=axes
        )  # fmt: skip
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return export(tmp_path_factory.mktemp("onnx") / "conv.onnx", seeded(conv_module()))


def images(n=11, channels=3, size=SIZE):
    return random_images(n, channels, size, dtype=torch.float32)


def responses(box, seen):
    with box.open(CPU) as respond:
        return respond(seen)


def build(path, nodes, image, output, *, kind="FLOAT", initializers=()):
    """A model of hand-written nodes from "image" to "out"."""
    element = getattr(onnx.TensorProto, kind)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", element, image)],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, output)],
        list(initializers),
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 9
    onnx.save(made, str(path))
    return str(path)


def identity(path, shape=("n", "c", "h", "w"), kind="FLOAT"):
    """What it is shown, as float32."""
    return build(path, [helper.make_node("Cast", ["image"], ["out"], to=1)], shape, shape, kind=kind)


@torch.no_grad()
def test_all_outputs_are_responses_by_default(model):
    found = responses(OnnxScorer(model), images())
    expected = seeded(conv_module())(images())
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.float(), expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(responses(OnnxScorer(model, "logits"), images()), found)


@torch.no_grad()
def test_an_inner_node_a_tensor_and_an_output_are_found_by_name(model):
    module, seen = seeded(conv_module()), images()
    expected = module[:3](seen)
    for name in ("/conv2/Conv", "/conv2/Conv_output_0"):
        found = responses(OnnxScorer(model, name, [(2, 1, 4), 5]), seen)
        inner = torch.stack([expected[:, 2, 1, 4], expected[:, 5].mean((1, 2))], 1)
        torch.testing.assert_close(found.float(), inner, rtol=1e-4, atol=1e-6)
    logits = responses(OnnxScorer(model, "/classifier/Gemm", 3), seen)
    torch.testing.assert_close(logits[:, 0].float(), module(seen)[:, 3], rtol=1e-4, atol=1e-6)


def test_an_onnx_model_responds_as_the_network_it_was_exported_from(model):
    net, seen = conv_net(), images(size=(17, 9))
    objectives = [ph.Channel("conv2", 5), ph.Neuron("conv2", 2, (1, 4))]
    expected = responses(units(net, *objectives), seen)
    found = responses(OnnxScorer(model, "/conv2/Conv", [(5,), (2, 1, 4)], input_size=SIZE), seen)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_a_transformer_responds_as_its_module(tmp_path):
    module = seeded(Tokens())
    path = export(tmp_path / "tokens.onnx", module, (1, 3, 12, 8), dynamic=False)
    seen = images(3, size=(12, 8))
    torch.testing.assert_close(responses(OnnxScorer(path), seen).float(), module(seen), rtol=1e-4, atol=1e-6)
    mixed = module.mix(module.patches(seen).flatten(2).transpose(1, 2))
    found = responses(OnnxScorer(path, "/mix/Add", [(4, 2)]), seen)
    torch.testing.assert_close(found[:, 0].float(), mixed[:, 4, 2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_the_size_of_the_batches_does_not_matter(model, batch_size):
    expected = responses(OnnxScorer(model), images())
    found = responses(OnnxScorer(model, batch_size=batch_size), images())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_a_response_depends_on_its_own_image_only(model):
    seen = images()
    before = seen.clone()
    with OnnxScorer(model, "/conv2/Conv", 1).open(CPU) as respond:
        together = respond(seen)
        alone = torch.cat([respond(seen[i : i + 1]) for i in range(11)])
    torch.testing.assert_close(alone, together, rtol=1e-6, atol=1e-7)
    assert torch.equal(seen, before)
    assert responses(OnnxScorer(model), torch.empty(0, 3, *SIZE)).shape == (0, 1)


@torch.no_grad()
def test_a_model_of_a_fixed_batch_and_size_is_given_just_that(tmp_path):
    module = seeded(conv_module())
    path = export(tmp_path / "fixed.onnx", module, (3, 3, *SIZE), dynamic=False)
    found = responses(OnnxScorer(path), images())
    torch.testing.assert_close(found.float(), module(images()), rtol=1e-4, atol=1e-6)
    larger = responses(OnnxScorer(path), images(size=(24, 20)))
    pooled = nn.functional.avg_pool2d(images(size=(24, 20)), 2)
    torch.testing.assert_close(larger.float(), module(pooled), rtol=1e-3, atol=1e-4)


def test_images_are_scaled_normalised_and_ordered(tmp_path):
    path, seen = identity(tmp_path / "id.onnx"), images(2)
    mean, std = (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)
    box = OnnxScorer(path, mean=mean, std=std, value_range=(-1, 9), channel_order="BGR")
    found = responses(box, seen).reshape(2, 3, *SIZE).numpy()
    expected = (-1 + 10 * seen.numpy()[:, ::-1] - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("layout", [None, "NHWC"])
def test_colours_come_last_where_the_model_has_them_last(tmp_path, layout):
    path, seen = identity(tmp_path / "id.onnx", ("n", 12, 10, 3)), images(2)
    found = responses(OnnxScorer(path, layout=layout), seen).reshape(2, 12, 10, 3)
    torch.testing.assert_close(found.float(), seen.permute(0, 2, 3, 1))


def test_a_layout_that_is_said_counts(tmp_path):
    path, seen = identity(tmp_path / "id.onnx", ("n", 3, 4, 3)), images(2, size=(4, 3))
    torch.testing.assert_close(responses(OnnxScorer(path), seen).reshape(2, 3, 4, 3).float(), seen)
    seen = images(2, size=(3, 4))
    found = responses(OnnxScorer(path, layout="NHWC"), seen).reshape(2, 3, 4, 3)
    torch.testing.assert_close(found.float(), seen.permute(0, 2, 3, 1))


@pytest.mark.parametrize(("kind", "tolerance"), [("UINT8", 0), ("INT32", 0), ("FLOAT16", 1e-3), ("DOUBLE", 1e-7)])
def test_models_of_other_numbers_are_shown_these(tmp_path, kind, tolerance):
    path, seen = identity(tmp_path / "id.onnx", kind=kind), images(2)
    found = responses(OnnxScorer(path), seen).reshape(2, 3, *SIZE)
    expected = (seen * 255).round() if tolerance == 0 else seen
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=tolerance)


def test_external_weights_are_found_beside_the_file_even_for_inner_nodes(tmp_path):
    path = export(tmp_path / "whole.onnx", seeded(conv_module()))
    expected = responses(OnnxScorer(path, "/conv2/Conv", 5), images())
    apart = tmp_path / "apart.onnx"
    onnx.save_model(onnx.load(path), str(apart), save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert torch.equal(responses(OnnxScorer(apart, "/conv2/Conv", 5), images()), expected)


def test_a_name_longer_than_a_byte_can_count_is_found(tmp_path):
    inner = "x" * 300
    nodes = [helper.make_node("Neg", ["image"], [inner], "negative"), helper.make_node("Neg", [inner], ["out"])]
    path = build(tmp_path / "long.onnx", nodes, ("n", 3, 4, 4), ("n", 3, 4, 4))
    seen = images(2, size=(4, 4))
    for name in (inner, "negative"):
        torch.testing.assert_close(responses(OnnxScorer(path, name), seen).reshape(2, 3, 4, 4).float(), -seen)


def test_the_record_holds_the_files_digest_and_comes_back_with_trust(model, tmp_path):
    box = OnnxScorer(model, "logits", [(2,), (0,)], mean=(0.5,))
    with open(model, "rb") as file:  # noqa: PTH123 - independent of what reads it otherwise
        digest = hashlib.sha256(file.read()).hexdigest()
    document = json.loads(json.dumps(as_scorer(box).describe()))
    assert document["box"]["digest"] == digest
    with pytest.raises(TrustError, match="would run the model .*conv.onnx"):
        reopen(document)
    assert reopen(document, trust=True).box == box
    other = export(tmp_path / "other.onnx", seeded(conv_module(), 1))
    with pytest.raises(RecipeError, match="scorer.box.digest: .* is another file"):
        reopen(document | {"box": document["box"] | {"path": other}}, trust=True)


def conditional(path, weights, where):
    """A model whose external weights are an initializer, an attribute, or an initializer of a branch."""
    tensor = onnx.numpy_helper.from_array(weights, "w")
    onnx.external_data_helper.set_external_data(tensor, location=f"{path.stem}.bin", offset=0)
    (path.parent / f"{path.stem}.bin").write_bytes(weights.tobytes())
    tensor.ClearField("raw_data")
    add = helper.make_node("Add", ["image", "w"], ["out"])
    if where == "initializer":
        return build(path, [add], ("n", 3, 4, 4), ("n", 3, 4, 4), initializers=[tensor])
    if where == "attribute":
        return build(path, [helper.make_node("Constant", [], ["w"], value=tensor), add], ("n", 3, 4, 4), (1,))
    out = helper.make_tensor_value_info("branch", onnx.TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Add", ["image", "w"], ["branch"])], "b", [], [out], [tensor])
    choice = onnx.numpy_helper.from_array(np.array(True), "choice")
    node = helper.make_node("If", ["choice"], ["out"], then_branch=branch, else_branch=branch)
    return build(path, [node], ("n", 3, 4, 4), ("n", 3, 4, 4), initializers=[choice])


@pytest.mark.parametrize("where", ["initializer", "attribute", "branch"])
def test_the_record_knows_the_weights_beside_the_file(tmp_path, where):
    path = conditional(tmp_path / "m.onnx", np.ones(64, np.float32), where)
    box = OnnxScorer(path)
    document = json.loads(json.dumps(box.describe()))
    own = hashlib.sha256((tmp_path / "m.onnx").read_bytes()).hexdigest()
    beside = hashlib.sha256((tmp_path / "m.bin").read_bytes()).hexdigest()
    assert box.digest == hashlib.sha256(f"{own}\n{beside} m.bin".encode()).hexdigest()
    assert reopen(document, trust=True).box == box
    (tmp_path / "m.bin").write_bytes(5 * np.ones(64, np.float32).tobytes())
    with pytest.raises(RecipeError, match="digest: .* is another file"):
        reopen(document, trust=True)
    (tmp_path / "m.bin").unlink()
    with pytest.raises(StorageError, match=r"m.bin holds weights of the model, but is no file; put it back"):
        reopen(document, trust=True)


def test_weights_that_cannot_be_read_are_told(tmp_path, monkeypatch):
    path = conditional(tmp_path / "m.onnx", np.ones(64, np.float32), "initializer")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(hashlib, "file_digest", refuse)
    with pytest.raises(StorageError, match="m.bin holds weights of the model, but cannot be read: Permission denied"):
        OnnxScorer(path).describe()


def test_what_is_no_model_has_no_record(tmp_path):
    (tmp_path / "text.onnx").write_bytes(b"no model at all")
    with pytest.raises(NetworkError, match="no ONNX model, or is cut off"):
        OnnxScorer(tmp_path / "text.onnx").describe()


def test_names_of_models(model):
    assert OnnxScorer(model).name == "conv.onnx:output"
    assert OnnxScorer(model, "logits", (2, 1)).name == "conv.onnx:logits[2,1]"
    assert OnnxScorer(model, "logits", [2, (1, 0)]).n_responses == 2
    assert OnnxScorer(model).n_responses is None


def test_what_the_model_has_not_is_refused_with_what_is_near(model):
    with pytest.raises(NetworkError, match=r"no output, tensor or node called '/conv2/Con'; did you mean /conv2/Conv"):
        responses(OnnxScorer(model, "/conv2/Con"), images())
    with pytest.raises(NetworkError, match="called 'zzz'; it has .*logits"):
        responses(OnnxScorer(model, "zzz"), images())
    for index in (5, (0, 0)):
        with pytest.raises(UnitRangeError, match=r"was asked for, but .* puts out \(5,\) for an image"):
            responses(OnnxScorer(model, index=index), images())
    with pytest.raises(ImageError, match="images have 1 channels, but .* takes 3"):
        responses(OnnxScorer(model), images(2, 1))
    with pytest.raises(ParameterError, match="mean has 2 numbers, but images have 3 channels"):
        responses(OnnxScorer(model, mean=(1, 2)), images())
    with pytest.raises(ParameterError, match=r"input_size is \(7, 7\), but .* takes \(12, 10\); leave it out"):
        responses(OnnxScorer(model, input_size=(7, 7)), images())


def test_files_that_are_no_models_are_refused(model, tmp_path):
    with pytest.raises(StorageError, match=r"none.onnx"):
        responses(OnnxScorer(tmp_path / "none.onnx"), images())
    with open(model, "rb") as file:  # noqa: PTH123
        whole = file.read()
    for i, content in enumerate((b"", b"no model at all", whole[: len(whole) // 2], b"\xff" * 40, b"\x0b" * 9)):
        path = tmp_path / f"bad{i}.onnx"
        path.write_bytes(content)
        for output in (None, "logits"):
            with pytest.raises(NetworkError, match="bad|no ONNX model, or is cut off"):
                responses(OnnxScorer(path, output), images())


def test_models_of_something_else_than_images_are_refused(tmp_path):
    node = helper.make_node("Identity", ["image"], ["out"])
    with pytest.raises(NetworkError, match=r"takes image \['n', 7\]; expected one input of four axes"):
        responses(OnnxScorer(build(tmp_path / "flat.onnx", [node], ("n", 7), ("n", 7))), images())
    text = build(tmp_path / "text.onnx", [helper.make_node("Cast", ["image"], ["out"], to=1)], ("n", 3, 4, 4), ("n", 3, 4, 4), kind="STRING")  # fmt: skip
    with pytest.raises(NetworkError, match=r"takes images as tensor\(string\); expected one of float"):
        responses(OnnxScorer(text), images())
    total = build(
        tmp_path / "total.onnx", [helper.make_node("ReduceSum", ["image"], ["out"], keepdims=0)], ("n", 3, 4, 4), ()
    )
    with pytest.raises(
        NetworkError, match=r"puts out shape \(\), float32 for 8 images; expected numbers, a row for each"
    ):
        responses(OnnxScorer(total), images(2, size=(4, 4)))


def test_a_model_that_fails_says_so(tmp_path):
    shape = onnx.numpy_helper.from_array(np.array([7, -1]), "shape")
    node = helper.make_node("Reshape", ["image", "shape"], ["out"])
    path = build(tmp_path / "fails.onnx", [node], ("n", "c", "h", "w"), (7, "m"), initializers=[shape])
    with pytest.raises(NetworkError, match=r"fails on images of shape \(8, 3, 4, 4\)"):
        responses(OnnxScorer(path), images(2, size=(4, 4)))


@pytest.mark.parametrize("index", [-1, (), "3", [], [(1, -2)], 1.5, True, [[]]])
def test_places_that_are_none_are_refused(index):
    with pytest.raises(ArgumentError, match="expected a place such as 3 or"):
        OnnxScorer("m.onnx", index=index)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layout": "CHWN"}, "layout is 'CHWN'; expected 'NCHW' or 'NHWC' or None"),
        ({"channel_order": "GBR"}, "channel_order is 'GBR'; expected 'RGB' or 'BGR'"),
        ({"input_size": (0, 3)}, "input_size is"),
        ({"mean": ()}, "mean is"),
        ({"std": (0.0,)}, "std is"),
        ({"value_range": (1, 0)}, "value_range is"),
        ({"providers": ()}, "providers is"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 4097}, "batch_size is 4097; expected a whole number from 1 to 4096"),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(ParameterError, match=sentence):
        OnnxScorer("m.onnx", **options)


def test_a_missing_extra_is_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"OnnxScorer needs the extra 'onnx'.*phosphene\[onnx\]"):
        responses(OnnxScorer(model), images())
