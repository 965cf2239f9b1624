"""Alignment against numpy's correlations, and of networks whose partners are known."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from networks import activations, conv_net, wrapped
from PIL import Image
from torch import nn

from phosphene.atlas import comparing_partners
from phosphene.atlas.comparing import align
from phosphene.atlas.comparing_answers import Answered, AnswerFile
from phosphene.errors import ArgumentError, ImageError, NetworkError, ParameterError, StorageError, UnknownLayerError
from phosphene.store.atlas.alignment import AlignedUnit, AlignmentTable, load_alignment, save_alignment

from .join_rigs import atlas_of

LAYERS = ("conv1", "act2", "classifier")


def photographs(n=40, seed=0, size=(12, 10)):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(n, 3, 1, 1, generator=generator) + 0.5 * torch.rand(n, 3, *size, generator=generator)).clamp(
        0, 1
    )


def permuted(net, seed=0):
    """The network with the channels of conv1 and conv2 in another order; and the orders: unit i here was order[i] there."""
    module, generator = copy.deepcopy(net.module), torch.Generator().manual_seed(seed)
    first, second = torch.randperm(4, generator=generator), torch.randperm(6, generator=generator)
    for name, order, after in (("conv1", first, "conv2"), ("conv2", second, "classifier")):
        part, following = module.get_submodule(name), module.get_submodule(after)
        part.weight.data, part.bias.data = part.weight.data[order], part.bias.data[order]
        following.weight.data = following.weight.data[:, order]
    return wrapped(module, labels=net.labels), {"conv1": first.tolist(), "act2": second.tolist()}


def values(net, layer, images):
    found = activations(net, layer, images)
    return (found.flatten(2).mean(2) if found.ndim > 2 else found).numpy()


@pytest.fixture
def net():
    return conv_net()


def test_a_network_is_aligned_with_itself_unit_by_unit(net, tmp_path):
    folder = atlas_of(net, tmp_path / "a", LAYERS)
    table = align(net, folder, net, folder, photographs(), progress=False)
    assert len(table.units) == 15
    assert table.n_images == 40
    for one in table.units:
        assert (one.layer_a, one.unit_a) == (one.layer_b, one.unit_b)
        assert one.r == pytest.approx(1, abs=1e-6)
    assert table.network_a == table.network_b == net.digest


def test_a_copy_with_its_channels_in_another_order_shows_the_order(net, tmp_path):
    other, orders = permuted(net)
    a, b = atlas_of(net, tmp_path / "a", LAYERS), atlas_of(other, tmp_path / "b", LAYERS)
    table = align(net, a, other, b, photographs(), progress=False)
    for layer, order in orders.items():
        assert {one.unit_a: one.unit_b for one in table.of(layer)} == {there: here for here, there in enumerate(order)}
        assert all(one.layer_b == layer and one.r > 0.9999 for one in table.of(layer))
    assert table.of("nowhere") == ()


@pytest.mark.parametrize("products", [32 * 1024 * 1024, 40])
@pytest.mark.parametrize("batch", [3, 32])
def test_partners_are_those_of_the_largest_correlation(net, tmp_path, monkeypatch, products, batch):
    monkeypatch.setattr(comparing_partners, "_PRODUCTS", products)
    other, images = conv_net(), photographs()
    for parameter in other.module.parameters():
        parameter.data = parameter.data.roll(1, 0) + 0.1
    a, b = atlas_of(net, tmp_path / "a", LAYERS), atlas_of(other, tmp_path / "b", LAYERS)
    table = align(net, a, other, b, images, batch_size=batch, progress=False)
    mine, theirs = (np.concatenate([values(one, layer, images) for layer in LAYERS], 1) for one in (net, other))
    places = [(layer, unit) for layer in LAYERS for unit in range(net.layer(layer).n_channels)]
    r = np.corrcoef(mine.T, theirs.T)[:15, 15:]
    assert [(one.layer_a, one.unit_a) for one in table.units] == places
    assert [(one.layer_b, one.unit_b) for one in table.units] == [places[i] for i in r.argmax(1)]
    np.testing.assert_allclose([one.r for one in table.units], r.max(1), atol=1e-5)


def test_partners_are_looked_for_in_the_layers_that_were_named(net, tmp_path):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS), photographs()
    table = align(
        net, folder, net, folder, images, layers={"conv1": "act2", "act2": ["conv1", "classifier"]}, progress=False
    )
    assert {one.layer_b for one in table.of("conv1")} == {"act2"}
    assert {one.layer_b for one in table.of("act2")} <= {"conv1", "classifier"}
    assert table.of("classifier") == ()
    r = np.corrcoef(values(net, "conv1", images).T, values(net, "act2", images).T)[:4, 4:]
    assert [one.unit_b for one in table.of("conv1")] == r.argmax(1).tolist()


def test_only_units_of_the_atlases_take_part(net, tmp_path):
    a = atlas_of(net, tmp_path / "a", LAYERS, units={"conv1": ((1, 3),)})
    b = atlas_of(net, tmp_path / "b", ("conv1",), units={"conv1": ((0, 2),)})
    table = align(net, a, net, b, photographs(), progress=False)
    assert [one.unit_a for one in table.of("conv1")] == [1, 2]
    assert {one.unit_b for one in table.units} <= {0, 1}
    assert {one.layer_b for one in table.units} == {"conv1"}


def test_units_that_never_change_have_no_partner_and_are_none(net, tmp_path):
    still = copy.deepcopy(net.module)
    still.conv1.weight.data[2] = 0
    other = wrapped(still, labels=net.labels)
    a, b = atlas_of(net, tmp_path / "a", ("conv1",)), atlas_of(other, tmp_path / "b", ("conv1",))
    assert [one.unit_a for one in align(other, b, net, a, photographs(), progress=False).units] == [0, 1, 3]
    assert 2 not in {one.unit_b for one in align(net, a, other, b, photographs(), progress=False).units}


def test_units_whose_answers_differ_by_rounding_only_have_no_partner_and_are_none(tmp_path):
    """A unit that answers 1000, give or take the last bit of a number of 32 bits."""
    generator = np.random.default_rng(0)
    answers = generator.normal(size=(40, 3)).astype(np.float32)
    answers[:, 1] = 1000
    answers[::2, 1] = np.nextafter(answers[::2, 1], np.float32(2000))
    answers.tofile(tmp_path / "answers")
    units = tuple(Answered("a", unit) for unit in range(3))
    file = AnswerFile(tmp_path / "answers", units, np.arange(40))
    group = np.zeros(3, np.int64)
    found = comparing_partners.partners(file, file, np.ones((1, 1), bool), (group, group))
    assert found.places.tolist() == [0, -1, 2]
    assert np.isnan(found.r[1])


def test_networks_may_see_photographs_at_sizes_of_their_own_and_skip_what_cannot_be_read(net, tmp_path):
    large = wrapped(net.module, size=(24, 20), labels=net.labels)
    a, b = atlas_of(net, tmp_path / "a", ("conv1",)), atlas_of(large, tmp_path / "b", ("conv1",))
    folder = tmp_path / "photographs"
    folder.mkdir()
    for i, image in enumerate(photographs(12, size=(30, 25))):
        Image.fromarray((image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)).save(folder / f"{i:02}.png")
    (folder / "05.png").write_bytes(b"no picture")
    seen = []
    table = align(net, a, large, b, folder, progress=seen.append)
    assert table.n_images == 11
    assert sum(seen) == 24
    assert "12 files" in table.images
    assert [one.unit_b for one in table.units] == [0, 1, 2, 3]


def test_memory_of_answers_is_a_file_that_is_gone_afterwards(net, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    folder = atlas_of(net, tmp_path / "a", ("conv1",))
    align(net, folder, net, folder, photographs(), progress=False)
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"layers": {}}, ParameterError, "layers is {}; expected a mapping"),
        ({"layers": {"conv1": ()}}, ParameterError, "expected the name of a layer at least"),
        ({"layers": {"conv9": "conv1"}}, UnknownLayerError, "has no layer 'conv9'; did you mean conv1"),
        ({"layers": {"conv1": "zzz"}}, UnknownLayerError, "has no layer 'zzz'; there are conv1, act2, classifier"),
        ({"images": (image for image in ())}, ArgumentError, "give what can be read twice"),
        ({"images": photographs(2)}, ImageError, "2 photographs of .* could be shown to both networks; give at least"),
        ({"images": "nowhere at all"}, StorageError, "is no folder"),
        ({"batch_size": 0}, ParameterError, "batch_size is 0"),
    ],
)
def test_bad_arguments_are_refused(net, tmp_path, change, error, message):
    folder = atlas_of(net, tmp_path / "a", LAYERS)
    given = {"images": photographs(), "progress": False} | change
    with pytest.raises(error, match=message):
        align(net, folder, net, folder, given.pop("images"), **given)


def test_a_network_with_other_weights_is_refused(net, tmp_path):
    folder = atlas_of(net, tmp_path / "a", LAYERS)
    other = wrapped(nn.Sequential(nn.Conv2d(3, 4, 3)))
    with pytest.raises(NetworkError, match="the weights of Sequential have changed"):
        align(net, folder, other, folder, photographs(), progress=False)


def table_of(n=5):
    units = tuple(AlignedUnit("a.1", i, f"b.{i % 2}", n - i, 1 / (i + 3)) for i in range(n))
    return AlignmentTable("d1", "d2", "Größe", "two", "folder x, 3 files", 3, units)


@pytest.mark.parametrize("where", ["folder", "folder/mine.parquet", "memory://align-test", "memory://align.parquet"])
def test_a_table_is_the_same_after_saving(tmp_path, where):
    place = where if "://" in where else str(tmp_path / where)
    path = save_alignment(table_of(), place)
    assert path.startswith(place)
    assert path.endswith(".parquet")
    found = load_alignment(path)
    assert found == table_of()
    assert found.digest == table_of().digest
    assert where.endswith(".parquet") or path.rpartition("/")[2] == f"alignment-{found.digest}.parquet"


def test_an_empty_table_is_a_table(tmp_path):
    assert load_alignment(save_alignment(table_of(0), tmp_path)).units == ()


def test_the_digest_changes_with_everything():
    table = table_of()
    others = [dataclasses.replace(table, n_images=4), dataclasses.replace(table, units=table.units[:-1]), table_of(6)]
    assert len({table.digest, *(one.digest for one in others)}) == 4


def test_files_that_are_none_are_refused(tmp_path):
    path = tmp_path / "x.parquet"
    with pytest.raises(StorageError, match=r"x\.parquet"):
        load_alignment(path)
    path.write_bytes(b"no table")
    with pytest.raises(StorageError, match="is no alignment, or damaged"):
        load_alignment(path)
    data = bytearray(table_of().to_bytes())
    data[10] ^= 255
    with pytest.raises(StorageError, match="is no alignment, or damaged"):
        AlignmentTable.from_bytes(bytes(data))


def test_tables_of_other_forms_are_refused(monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from phosphene.store.atlas import alignment

    def written(columns, metadata):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns).replace_schema_metadata(metadata), sink)
        return sink.getvalue().to_pybytes()

    header = '{"format": 1, "network_a": "", "network_b": "", "name_a": "", "name_b": "", "images": "", "n_images": 1}'
    with pytest.raises(StorageError, match="is no alignment, or damaged"):
        AlignmentTable.from_bytes(written({"x": [1]}, None))
    with pytest.raises(StorageError, match=r"is no alignment: it has columns \['x'\]"):
        AlignmentTable.from_bytes(written({"x": [1]}, {"phosphene": header}))
    whole = {"layer_a": pa.array(["a"]), "unit_a": pa.array([1], pa.int32()), "layer_b": pa.array(["b"]),
             "unit_b": pa.array([1], pa.int32()), "r": [0.5]}  # fmt: skip
    with pytest.raises(StorageError, match="is damaged"):
        AlignmentTable.from_bytes(written(whole, {"phosphene": '{"format": 1, "name": "x"}'}))
    monkeypatch.setattr(alignment, "FORMAT", 2)
    newer = table_of().to_bytes()
    monkeypatch.undo()
    with pytest.raises(StorageError, match="has format 2; this phosphene reads format 1: use a newer phosphene"):
        AlignmentTable.from_bytes(newer)
