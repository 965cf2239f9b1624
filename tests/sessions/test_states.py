"""State files: every bit comes back, and what is damaged is refused."""

from __future__ import annotations

import inspect
import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

import phosphene.optimizers as optimizers
from phosphene.errors import ParameterError, StorageError
from phosphene.optimizers.search_optimizer import SearchOptimizer
from phosphene.store.states import read_state, state_digest, write_state

STATE = {
    "mean": torch.tensor([0.1, -0.0, math.nan, math.inf], dtype=torch.float64),
    "half": torch.tensor([1.5], dtype=torch.bfloat16),
    "counts": torch.tensor([[1, 2], [3, 4]]).t(),
    "none": torch.empty(0, 3),
    "scalar": torch.tensor(2.5),
    "flag": torch.tensor([True, False]),
    "generation": 3,
    "kind": "CMAES",
    "scored": [1, 2],
    "text": "ü\x1f",
    "nothing": None,
}


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        bits = [x.contiguous().reshape(-1).view(torch.uint8) for x in (a, b)]
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(*bits)
    return a == b and type(a) is type(b)


def test_a_state_comes_back_bit_for_bit(tmp_path):
    path = write_state(tmp_path / "a" / "s.safetensors", STATE)
    found = read_state(path)
    assert found.keys() == STATE.keys()
    assert all(same(STATE[name], found[name]) for name in STATE)


def test_the_same_state_gives_the_same_bytes(tmp_path):
    reverse = dict(reversed(STATE.items()))
    assert write_state(tmp_path / "a", STATE).read_bytes() == write_state(tmp_path / "b", reverse).read_bytes()


def test_other_libraries_read_the_tensors(tmp_path):
    assert torch.equal(load_file(write_state(tmp_path / "s.safetensors", STATE))["counts"], STATE["counts"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", torch.tensor([0.1, 0.0, math.nan, math.inf], dtype=torch.float64)),
        ("mean", STATE["mean"].float()),
        ("counts", STATE["counts"].reshape(4)),
        ("generation", 4),
        ("text", "u"),
        ("more", 1),
    ],
)
def test_the_digest_differs_where_anything_does(name, value):
    assert state_digest({**STATE, name: value}) != state_digest(STATE)


def test_the_digest_does_not_depend_on_order_or_memory():
    other = {name: STATE[name] for name in sorted(STATE, reverse=True)}
    assert state_digest({**other, "counts": STATE["counts"].contiguous()}) == state_digest(STATE)


def test_every_bit_that_flips_and_every_byte_that_lacks_is_noticed(tmp_path):
    path = write_state(tmp_path / "s", {"x": torch.arange(3.0), "n": 1})
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        try:
            found = read_state(path)
        except StorageError:
            pass
        else:  # padding of the header means nothing
            assert same(found["x"], torch.arange(3.0))
            assert found["n"] == 1
        path.write_bytes(data[:at])
        with pytest.raises(StorageError, match=r"damaged|cannot be read"):
            read_state(path)


def test_a_value_that_flipped_is_told_by_its_digest(tmp_path):
    path = write_state(tmp_path / "s", {"x": torch.arange(3.0)})
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(StorageError, match="is damaged: its digest is"):
        read_state(path)


@pytest.mark.parametrize("data", [b"", b"hello", bytes(100), (2**62).to_bytes(8, "little") + b"{}", b"\x80\x04N."])
def test_what_is_no_state_is_refused(tmp_path, data):
    path = tmp_path / "s"
    path.write_bytes(data)
    with pytest.raises(StorageError, match="is no state that phosphene wrote"):
        read_state(path)


def test_tensors_of_another_program_are_refused(tmp_path):
    path = tmp_path / "s.safetensors"
    for metadata in (
        None,
        {"phosphene": "[" * 10**5},
        {"phosphene": "{}"},
        {"phosphene": json.dumps({"values": 3, "digest": ""})},
    ):
        save_file({"x": torch.zeros(2)}, path, metadata)
        with pytest.raises(StorageError, match="is no state that phosphene wrote"):
            read_state(path)


def test_what_has_no_json_form_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="no JSON form"):
        write_state(tmp_path / "s", {"f": object()})
    assert not (tmp_path / "s").exists()


SEARCHES = [
    cls
    for cls in vars(optimizers).values()
    if inspect.isclass(cls) and issubclass(cls, SearchOptimizer) and not inspect.isabstract(cls)
]


@pytest.mark.parametrize("cls", SEARCHES, ids=lambda cls: cls.__name__)
def test_every_search_goes_on_from_its_file_as_if_it_had_never_stopped(cls, tmp_path):
    spec = cls(population=6)
    searches = [spec.search(5, seed=1), spec.search(5, seed=2)]

    def step(search):
        asked = search.ask()
        search.tell(asked.ids, -(asked.codes - 1).square().sum(1))

    for _ in range(3):
        step(searches[0])
    searches[1].load_state_dict(read_state(write_state(tmp_path / "s", searches[0].state_dict())))
    for _ in range(3):
        assert state_digest(searches[0].state_dict()) == state_digest(searches[1].state_dict())
        for search in searches:
            step(search)
    assert torch.equal(searches[0].recommend(), searches[1].recommend())
