"""Facts of units against the slow way to each of them."""

from __future__ import annotations

import contextlib
import dataclasses
import threading

import numpy as np
import pytest
import torch
from networks import activations, conv_net, seeded, wrapped
from torch import nn

from phosphene.atlas.joining import join
from phosphene.atlas.joining_photographs import KEPT
from phosphene.errors import NetworkError, StorageError
from phosphene.store.atlas import Link, open_atlas

from .join_rigs import atlas_of, vectors_of

LAYERS = ("conv1", "act2", "classifier")


@pytest.fixture
def net():
    return conv_net()


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PHOSPHENE_CACHE", str(tmp_path / "cache"))


def photographs(n=30, seed=0, size=(12, 10)):
    generator = torch.Generator().manual_seed(seed)
    base = torch.rand(n, 3, 1, 1, generator=generator)
    return (base + 0.4 * torch.rand(n, 3, *size, generator=generator)).clamp(0, 1)


def facts_of(folder):
    return {(one.layer, one.unit): one for layer in folder.manifest.layers for one in folder.facts(layer.name)}


def means(net, layer, images):
    found = activations(net, layer, images)
    return (found.flatten(2).mean(2) if found.ndim > 2 else found).numpy()


def test_every_unit_of_the_atlas_has_facts_and_the_output_its_labels(net, tmp_path):
    folder = atlas_of(net, tmp_path / "a", LAYERS)
    joined = join(net, folder, progress=False)
    found = facts_of(folder)
    assert joined.n_units == len(found) == 4 + 6 + 5
    assert joined.n_images == 0
    assert [found["classifier", i].label for i in range(5)] == ["cat", "dog", "cup", "fish", "tree"]
    assert all(one.label == "" for (layer, _), one in found.items() if layer != "classifier")
    assert all(one.answers is None and one.examples == () == one.correlated for one in found.values())


def test_answers_are_those_of_the_channels_means(net, tmp_path):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS), photographs()
    joined = join(net, folder, images=images, progress=False, batch_size=7)
    assert (joined.n_images, joined.n_skipped) == (30, 0)
    found = facts_of(folder)
    for layer in LAYERS:
        values = means(net, layer, images)
        for unit in range(values.shape[1]):
            answers, column = found[layer, unit].answers, values[:, unit]
            assert answers.n == 30
            expected = (column.mean(), column.std(), column.min(), column.max(), (column > 0).mean())
            np.testing.assert_allclose(dataclasses.astuple(answers)[1:6], expected, rtol=1e-4, atol=1e-5)
            shares = np.histogram(column, np.asarray(answers.edges))[0] / 30
            np.testing.assert_allclose(answers.shares, shares, atol=1 / 30 + 1e-9)
            assert sum(answers.shares) == pytest.approx(1)
            assert np.all(np.diff(answers.quantiles) >= 0)
            median = answers.quantiles[answers.fractions.index(0.5)]
            assert np.isclose(median, np.sort(column)[14:16], atol=1e-5).any()


def test_examples_are_those_of_the_largest_and_smallest_maxima(net, tmp_path):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS), photographs()
    join(net, folder, images=images, progress=False)
    n_same = 0
    for (layer, unit), one in facts_of(folder).items():
        found = activations(net, layer, images)
        values = (found.flatten(2).amax(2) if found.ndim > 2 else found)[:, unit].numpy()
        order = np.argsort(-values, kind="stable")
        kinds = {kind: [e for e in one.examples if e.kind == kind] for kind in KEPT}
        nearest = np.argsort(np.abs(values), kind="stable")[:4].tolist()
        same = nearest == order[::-1][:4].tolist()
        assert {kind: len(some) for kind, some in kinds.items()} == {"top": 9, "bottom": 4, "zero": 0 if same else 4}
        assert same or [int(e.key) for e in kinds["zero"]] == nearest
        n_same += same
        assert [int(e.key) for e in kinds["top"]] == order[:9].tolist()
        assert [int(e.key) for e in kinds["bottom"]] == order[::-1][:4].tolist()
        np.testing.assert_allclose([e.value for e in kinds["top"]], values[order[:9]], rtol=1e-4, atol=1e-5)
        assert [e.rank for e in kinds["top"]] == list(range(9))
        top, left, bottom, right = kinds["top"][0].box
        assert 0 <= top < bottom <= 12
        assert 0 <= left < right <= 10
        assert all(e.image is not None and e.image[:2] == b"\xff\xd8" for e in one.examples)
    assert 0 < n_same < 15


def test_correlated_units_are_those_of_the_largest_correlations(net, tmp_path):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS), photographs()
    join(net, folder, images=images, progress=False)
    for layer in LAYERS:
        r = np.corrcoef(means(net, layer, images).T)
        np.fill_diagonal(r, -2)
        for unit in range(len(r)):
            links = folder.unit_facts(layer, unit).correlated
            expected = [other for other in np.argsort(-r[unit]) if r[unit, other] > 0]
            assert [link.unit for link in links] == expected
            np.testing.assert_allclose([link.strength for link in links], r[unit, expected], rtol=1e-4, atol=1e-5)
            assert all(link.layer == layer for link in links)


def test_similar_units_are_those_of_the_largest_cosines_after_the_mean_is_taken_away(net, tmp_path):
    folder = atlas_of(net, tmp_path / "a", LAYERS, silent={("act2", 3)})
    join(net, folder, progress=False)
    for layer in LAYERS:
        numbers = [i for i in range(net.layer(layer).n_channels) if (layer, i) != ("act2", 3)]
        vectors = vectors_of(layer, net.layer(layer).n_channels)[numbers]
        centred = vectors - vectors.mean(0)
        for place, unit in enumerate(numbers):
            cosines = {
                other: float(centred[place] @ centred[i] / np.linalg.norm(centred[place]) / np.linalg.norm(centred[i]))
                for i, other in enumerate(numbers)
                if other != unit
            }
            links = folder.unit_facts(layer, unit).similar
            assert [link.unit for link in links] == sorted(cosines, key=lambda other: -cosines[other])
            np.testing.assert_allclose([link.strength for link in links], sorted(cosines.values())[::-1], rtol=1e-5)
    assert folder.unit_facts("act2", 3).similar == ()


def test_inputs_and_outputs_are_the_largest_weights_among_the_atlass_units(tmp_path):
    module = nn.Sequential(nn.Conv2d(3, 12, 3), nn.ReLU(), nn.Conv2d(12, 10, 3), nn.ReLU(), nn.Conv2d(10, 5, 1))
    net = wrapped(seeded(module))
    folder = atlas_of(net, tmp_path / "a", ("0", "2", "4"), units={"0": ((0, 2), (3, 12)), "2": ((1, 10),)})
    join(net, folder, progress=False)
    weights = module[2].weight.sum((2, 3)).detach()
    for unit in range(1, 10):
        row = {other: float(weights[unit, other]) for other in range(12) if other != 2}
        expected = sorted(row, key=lambda other: -abs(row[other]))[:8]
        links = folder.unit_facts("2", unit).inputs
        assert [(link.layer, link.unit) for link in links] == [("0", other) for other in expected]
        np.testing.assert_allclose([link.strength for link in links], [row[other] for other in expected], rtol=1e-5)
    for unit in (0, 1, 3):
        column = {other: float(weights[other, unit]) for other in range(1, 10)}
        expected = sorted(column, key=lambda other: -abs(column[other]))[:8]
        assert [link.unit for link in folder.unit_facts("0", unit).outputs] == expected
    assert folder.unit_facts("0", 0).inputs == () == folder.unit_facts("4", 0).outputs


def test_a_depthwise_layers_units_have_one_input_each(tmp_path):
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=4))
    net = wrapped(seeded(module))
    folder = atlas_of(net, tmp_path / "a", ("0", "1"), units={"0": ((1, 4),)})
    join(net, folder, progress=False)
    sums = module[1].weight.sum((1, 2, 3)).tolist()
    for unit in range(1, 4):
        assert folder.unit_facts("1", unit).inputs == (Link("0", unit, pytest.approx(sums[unit])),)
    assert folder.unit_facts("1", 0).inputs == ()


def test_similar_units_agree_with_a_full_comparison_whatever_the_size_of_blocks(monkeypatch):
    from phosphene.atlas import joining_similar

    vectors = np.random.default_rng(0).normal(size=(57, 5)).astype(np.float32)
    units = np.arange(57) * 2
    whole = joining_similar.similar_units("x", units, vectors)
    monkeypatch.setattr(joining_similar, "_COSINES", 200)
    in_blocks = joining_similar.similar_units("x", units, vectors)
    assert {unit: [one.unit for one in links] for unit, links in whole.items()} == {
        unit: [one.unit for one in links] for unit, links in in_blocks.items()
    }
    centred = vectors.astype(np.float64) - vectors.astype(np.float64).mean(0)
    cosines = centred @ centred.T / np.linalg.norm(centred, axis=1) / np.linalg.norm(centred, axis=1)[:, None]
    np.fill_diagonal(cosines, -2)
    for place, unit in enumerate(units.tolist()):
        best = np.argsort(-cosines[place])[:8]
        assert [one.unit for one in whole[unit]] == (best * 2).tolist()
        np.testing.assert_allclose([one.strength for one in whole[unit]], cosines[place, best], atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_pictures_have_few_neighbours(n):
    from phosphene.atlas.joining_similar import similar_units

    found = similar_units("x", np.arange(n), np.eye(3, dtype=np.float32)[:n])
    assert {unit: len(links) for unit, links in found.items()} == {0: {}, 1: {}, 2: {0: 1, 1: 1}}[n]


def test_pictures_that_are_all_the_same_are_like_none():
    from phosphene.atlas.joining_similar import similar_units

    assert similar_units("x", np.arange(4), np.full((4, 3), 1 / 3, np.float32)) == {}


def test_a_second_join_shows_no_photograph_and_writes_nothing(net, tmp_path):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS), photographs()
    join(net, folder, images=images, progress=False)
    before = facts_of(folder)

    def refuse(n):
        raise AssertionError(f"{n} photographs were shown again")

    again = join(net, open_atlas(str(tmp_path / "a")), images=images, progress=refuse)
    assert (again.n_units, again.n_images) == (0, 30)
    assert join(net, folder, progress=False).n_units == 0
    assert facts_of(folder) == before
    assert not (tmp_path / "a" / "collecting").exists()


def test_new_pictures_renew_neighbours_and_keep_what_photographs_said(net, tmp_path):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS, silent={("conv1", 0)}), photographs()
    join(net, folder, images=images, progress=False)
    before = facts_of(folder)
    atlas_of(net, tmp_path / "a", LAYERS)
    folder = open_atlas(str(tmp_path / "a"))
    joined = join(net, folder, progress=False)
    after = facts_of(folder)
    assert (joined.n_units, joined.n_images) == (4, 30)
    assert before["conv1", 0].similar == ()
    assert len(after["conv1", 0].similar) == 3
    for key, one in after.items():
        assert (one.answers, one.examples, one.correlated) == (
            before[key].answers, before[key].examples, before[key].correlated,
        )  # fmt: skip


def test_other_photographs_replace_what_the_first_ones_said(net, tmp_path):
    folder = atlas_of(net, tmp_path / "a", LAYERS)
    join(net, folder, images=photographs(), progress=False)
    joined = join(net, folder, images=photographs(20, seed=1), progress=False)
    assert joined.n_images == 20
    assert folder.unit_facts("conv1", 1).answers.n == 20


def test_an_interrupted_join_goes_on_with_the_photographs_that_were_seen(net, tmp_path):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS), photographs()
    whole = atlas_of(net, tmp_path / "b", LAYERS)
    join(net, whole, images=images, progress=False)
    seen = []

    def interrupt(n):
        seen.append(n)
        if sum(seen) >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        join(net, folder, images=images, batch_size=8, progress=interrupt)
    assert not folder.has_facts("conv1")
    again = []
    join(net, folder, images=images, batch_size=8, progress=again.append)
    assert sum(seen) >= 16
    assert sum(again) == 30
    assert len(again) < 4
    assert facts_of(folder) == facts_of(whole)


def test_a_join_that_ended_while_facts_were_written_shows_no_photograph_again(net, tmp_path, monkeypatch):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS), photographs()
    write = type(folder).write_facts

    def fail(self, layer, rows):
        if layer == "act2":
            raise StorageError("the disk is full")
        write(self, layer, rows)

    monkeypatch.setattr(type(folder), "write_facts", fail)
    with pytest.raises(StorageError, match="the disk is full"):
        join(net, folder, images=images, progress=False)
    monkeypatch.undo()
    shown = []
    join(net, folder, images=images, progress=shown.append)
    assert shown == []
    assert folder.unit_facts("classifier", 4).answers.n == 30


def test_damaged_facts_are_written_anew_and_photographs_shown_again(net, tmp_path):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS), photographs()
    join(net, folder, images=images, progress=False)
    before = facts_of(folder)
    path = tmp_path / "a" / "facts" / "conv1.parquet"
    path.unlink()
    joined = join(net, folder, images=images, progress=False)
    assert joined.n_units == 15
    assert facts_of(folder) == before


def test_facts_of_which_nothing_can_be_kept_forget_the_photographs(net, tmp_path):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS, silent={("conv1", 0)}), photographs()
    join(net, folder, images=images, progress=False)
    path = tmp_path / "a" / "facts" / "conv1.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    atlas_of(net, tmp_path / "a", LAYERS)
    folder = open_atlas(str(tmp_path / "a"))
    join(net, folder, progress=False)
    assert folder.unit_facts("conv1", 1).answers is None
    assert join(net, folder, images=images, progress=False).n_units == 15
    assert folder.unit_facts("conv1", 1).answers.n == 30


def test_facts_that_are_gone_are_not_said_to_tell_of_photographs(net, tmp_path):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS), photographs()
    join(net, folder, images=images, progress=False)
    before = facts_of(folder)
    (tmp_path / "a" / "facts" / "conv1.parquet").unlink()
    joined = join(net, folder, progress=False)
    assert (joined.n_units, joined.n_images) == (4, 0)
    assert folder.unit_facts("conv1", 1).answers is None
    assert folder.unit_facts("act2", 1) == before["act2", 1]
    assert join(net, folder, images=images, progress=False).n_images == 30
    assert facts_of(folder) == before


def test_facts_that_are_found_damaged_while_photographs_are_given_are_made_of_these(net, tmp_path):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS, silent={("conv1", 0)}), photographs()
    join(net, folder, images=images, progress=False)
    path = tmp_path / "a" / "facts" / "conv1.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    atlas_of(net, tmp_path / "a", LAYERS)
    folder = open_atlas(str(tmp_path / "a"))
    assert join(net, folder, images=images, progress=False).n_images == 30
    assert [one.answers.n for one in facts_of(folder).values()] == [30] * 15


@contextlib.contextmanager
def cut_off(folder, layer, *, after=False):
    """Writing a layer's facts is interrupted in the block: before they are written, or after."""
    write = type(folder).write_facts

    def interrupted(self, name, rows):
        if name != layer or after:
            write(self, name, rows)
        if name == layer:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(folder), "write_facts", interrupted)
        yield


@pytest.fixture
def half(net, tmp_path):
    """An atlas that was told of photographs, and of others until after ``act2``, its second of three layers."""
    folder = atlas_of(net, tmp_path / "half", LAYERS)
    join(net, folder, images=photographs(), progress=False)
    with cut_off(folder, "act2", after=True), pytest.raises(KeyboardInterrupt):
        join(net, folder, images=photographs(20, seed=1), progress=False)
    assert [folder.unit_facts(layer, 1).answers.n for layer in LAYERS] == [20, 20, 30]
    return folder


@pytest.mark.parametrize(("n", "seed"), [(30, 0), (20, 1)])
def test_after_other_photographs_were_cut_off_all_layers_tell_of_those_that_come_next(net, tmp_path, half, n, seed):
    images, expected = photographs(n, seed), atlas_of(net, tmp_path / "expected", LAYERS)
    join(net, expected, images=images, progress=False)
    assert join(net, half, images=images, progress=False).n_images == n
    assert facts_of(half) == facts_of(expected)
    assert join(net, half, images=images, progress=False).n_units == 0


def test_after_other_photographs_were_cut_off_a_join_without_any_does_not_mix_them(net, half):
    joined = join(net, half, progress=False)
    assert joined.n_images == 0
    known = {layer: one.answers and one.answers.n for (layer, _), one in facts_of(half).items()}
    assert known == {"conv1": 20, "act2": None, "classifier": None}
    assert join(net, half, images=photographs(), progress=False).n_images == 30
    assert {one.answers.n for one in facts_of(half).values()} == {30}


@pytest.mark.parametrize("after", [False, True])
def test_what_photographs_said_is_kept_when_new_neighbours_are_cut_off(net, tmp_path, after):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS, silent={("conv1", 0), ("act2", 0)}), photographs()
    join(net, folder, images=images, progress=False)
    atlas_of(net, tmp_path / "a", LAYERS)
    folder = open_atlas(str(tmp_path / "a"))
    with cut_off(folder, "act2", after=after), pytest.raises(KeyboardInterrupt):
        join(net, folder, progress=False)
    joined = join(net, folder, progress=False)
    assert (joined.n_units, joined.n_images) == (6, 30)
    assert len(folder.unit_facts("act2", 0).similar) == 5
    assert {one.answers.n for one in facts_of(folder).values()} == {30}


@pytest.mark.parametrize("layer", ["conv1", "act2"])
def test_facts_that_are_gone_are_noticed_though_the_next_join_was_cut_off(net, tmp_path, layer):
    folder, images = atlas_of(net, tmp_path / "a", LAYERS, silent={("act2", 0)}), photographs()
    join(net, folder, images=images, progress=False)
    atlas_of(net, tmp_path / "a", LAYERS)
    folder = open_atlas(str(tmp_path / "a"))
    (tmp_path / "a" / "facts" / "conv1.parquet").unlink()
    with cut_off(folder, layer, after=True), pytest.raises(KeyboardInterrupt):
        join(net, folder, progress=False)
    assert join(net, folder, images=images, progress=False).n_images == 30
    assert {one.answers.n for one in facts_of(folder).values()} == {30}


def test_a_stream_is_shown_again_for_nobody_knows_it(net, tmp_path):
    folder = atlas_of(net, tmp_path / "a", LAYERS)
    join(net, folder, images=(image for image in photographs()), progress=False)
    assert join(net, folder, images=(image for image in photographs(12, seed=1)), progress=False).n_images == 12


def test_a_damaged_record_is_as_none(net, tmp_path):
    folder = atlas_of(net, tmp_path / "a", LAYERS)
    join(net, folder, progress=False)
    for text in ("", "[]", '{"format": 2}', '{"format": 1, "pictures": 3, "photographs": {"name": 1}}'):
        (tmp_path / "a" / "facts" / "joined.json").write_text(text)
        assert join(net, folder, progress=False).n_units == 15


def test_an_atlas_at_an_address_collects_in_the_cache(net, tmp_path):
    folder = atlas_of(net, "memory://join-test/a", LAYERS)
    join(net, folder, images=photographs(), progress=False)
    assert folder.unit_facts("conv1", 3).answers.n == 30
    assert all(path.suffix == ".lock" for path in (tmp_path / "cache" / "atlases").iterdir())


def test_a_folder_that_cannot_be_written_is_named(net, tmp_path):
    folder = atlas_of(net, tmp_path / "a", LAYERS)
    (tmp_path / "a" / "collecting").write_text("in the way")
    with pytest.raises(StorageError, match=r"collecting.*is a file, not a folder"):
        join(net, folder, images=photographs(), progress=False)


def test_without_a_cache_folder_nobody_waits(net, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PHOSPHENE_CACHE", str(tmp_path / "file"))
    folder = atlas_of(net, tmp_path / "a", LAYERS)
    assert join(net, folder, images=photographs(), progress=False).n_images == 30


def test_a_network_with_other_weights_is_refused(net, tmp_path):
    folder = atlas_of(net, tmp_path / "a", LAYERS)
    net.module.conv1.weight.data[0] += 1
    with pytest.raises(NetworkError, match="the weights of Sequential have changed"):
        join(net, folder, progress=False)


def test_two_builders_at_once_show_photographs_once(net, tmp_path):
    folder, images, shown, joined = atlas_of(net, tmp_path / "a", LAYERS), photographs(), [], []

    def work():
        joined.append(join(net, open_atlas(str(tmp_path / "a")), images=images, progress=shown.append))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(shown) == 30
    assert sorted(one.n_units for one in joined) == [0, 15]
    assert folder.unit_facts("classifier", 4).answers.n == 30
    assert not (tmp_path / "a" / "collecting").exists()


def test_a_network_that_is_shown_images_otherwise_is_refused(net, tmp_path):
    folder = atlas_of(net, tmp_path / "a", LAYERS)
    with pytest.raises(NetworkError, match="is shown images otherwise"):
        join(wrapped(net.module, size=(24, 20), labels=net.labels), folder, progress=False)
