"""Weights are found by path, address or hub id; a wrong checksum is refused before anything is read; nothing is run."""

from __future__ import annotations

import functools
import hashlib
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from phosphene.errors import MissingExtraError, ParameterError, WeightsError
from phosphene.parameterizations.generators import files
from phosphene.parameterizations.generators.files import check_source, fit, load_state

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, -1.0])}


class Evil:
    """What runs a command when it is unpickled the ordinary way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def alike(found: dict[str, Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[name], STATE[name]) for name in STATE)


def kept(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    torch.save(STATE, path)
    return path


@pytest.fixture
def hub_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub"
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder))
    return folder / "phosphene"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The folder of the test, served on the loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_both_kinds_of_files_give_the_tensors_that_were_saved(weights, tmp_path):
    save_file(STATE, str(tmp_path / "weights.safetensors"))
    assert alike(load_state(str(weights)))
    assert alike(load_state(str(tmp_path / "weights.safetensors")))


@pytest.mark.parametrize("key", ["state_dict", "netG_state_dict", "params_ema"])
def test_a_state_dict_that_is_wrapped_in_a_table_is_found(tmp_path, key):
    torch.save({key: STATE, "epoch": 3}, tmp_path / "wrapped.pt")
    assert alike(load_state(str(tmp_path / "wrapped.pt")))


def test_the_right_checksum_is_accepted_in_either_case(weights):
    assert alike(load_state(str(weights), digest(weights)))
    assert alike(load_state(str(weights), digest(weights).upper()))


def test_a_wrong_checksum_is_refused_before_anything_is_read(weights, monkeypatch):
    def never(*_: object, **__: object) -> None:
        raise AssertionError("read before the checksum was compared")

    monkeypatch.setattr(torch, "load", never)
    monkeypatch.setattr(files, "load_file", never)
    with pytest.raises(WeightsError, match=f"have SHA-256 {digest(weights)}, expected {'0' * 64}; nothing was read"):
        load_state(str(weights), "0" * 64)


def test_a_file_that_would_run_something_is_refused_and_runs_nothing(tmp_path):
    victim = tmp_path / "victim"
    torch.save({"a.weight": Evil(victim)}, tmp_path / "evil.pt")
    with pytest.raises(
        WeightsError,
        match=r"cannot be read as tensors \(UnpicklingError: it holds more than tensors\); phosphene never runs code",
    ):
        load_state(str(tmp_path / "evil.pt"))
    assert not victim.exists()
    torch.load(tmp_path / "evil.pt", weights_only=False)  # the file is what the test takes it for
    assert victim.exists()


TEXTS = (
    b"",
    b"no tensors at all",
    b"root:x:0:0:root:/root:/bin/bash\n" * 9,
    b"\x80\x02c",
    b"\xff\xfe(((",
    b"tt.",
    b"0.",
)


@pytest.mark.parametrize("content", TEXTS)
@pytest.mark.parametrize("name", ["broken.pt", "broken.safetensors"])
def test_a_damaged_file_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read as tensors"):
        load_state(str(tmp_path / name))


@pytest.mark.parametrize("content", [torch.zeros(3), {"a": 3}, {}, {"x": STATE, "y": STATE}, [STATE]])
def test_a_file_without_one_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="hold no state dict"):
        load_state(str(tmp_path / "other.pt"))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"none.pt' are not a file; give the path"):
        load_state(str(tmp_path / "none.pt"))


def test_an_address_is_fetched_once_and_kept_under_its_checksum(weights, address, hub_folder):
    checksum = digest(weights)
    assert alike(load_state(f"{address}/weights.pt", checksum))
    weights.unlink()
    assert alike(load_state(f"{address}/weights.pt", checksum))
    assert kept(hub_folder) == [f"{checksum}.pt"]


def test_an_address_that_holds_another_file_is_refused_and_nothing_is_kept(weights, address, hub_folder):
    with pytest.raises(WeightsError, match=f"127.0.0.1.*have SHA-256 {digest(weights)}, expected"):
        load_state(f"{address}/weights.pt", "1" * 64)
    assert kept(hub_folder) == []


def test_a_kept_file_that_was_changed_since_is_refused(weights, address, hub_folder):
    checksum = digest(weights)
    load_state(f"{address}/weights.pt", checksum)
    (hub_folder / f"{checksum}.pt").write_bytes(b"changed")
    with pytest.raises(WeightsError, match="nothing was read"):
        load_state(f"{address}/weights.pt", checksum)


@pytest.mark.parametrize("missing", ["/none.pt", None])
def test_an_address_that_does_not_answer_is_told(address, hub_folder, missing):
    target = address + missing if missing else "http://127.0.0.1:9/weights.pt"
    with pytest.raises(WeightsError, match="cannot be fetched: .*; fetch the file, give its path"):
        load_state(target, "1" * 64)
    assert kept(hub_folder) == []


def test_an_endless_answer_is_cut_off(weights, address, hub_folder, monkeypatch):
    monkeypatch.setattr(files, "_MAX_BYTES", 10)
    with pytest.raises(WeightsError, match="have more than 10 bytes"):
        load_state(f"{address}/weights.pt", digest(weights))
    assert kept(hub_folder) == []


def test_a_hub_file_comes_through_the_hub_and_its_checksum_is_compared(weights, monkeypatch):
    asked: list[tuple[str, str]] = []
    hub = ModuleType("huggingface_hub")

    def hf_hub_download(repository: str, file: str) -> str:
        asked.append((repository, file))
        return str(weights)

    hub.hf_hub_download = hf_hub_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert alike(load_state("hf:owner/repository/folder/weights.pt", digest(weights)))
    assert asked == [("owner/repository", "folder/weights.pt")]
    with pytest.raises(WeightsError, match="nothing was read"):
        load_state("hf:owner/repository/weights.pt", "0" * 64)


def test_a_hub_that_fails_is_told(monkeypatch):
    def hf_hub_download(repository: str, file: str) -> str:
        raise RuntimeError(f"no {file} in {repository}")

    hub = ModuleType("huggingface_hub")
    hub.hf_hub_download = hf_hub_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    with pytest.raises(WeightsError, match="cannot be fetched: RuntimeError: no c.pt in a/b"):
        load_state("hf:a/b/c.pt")


def test_without_the_hub_the_install_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'phosphene\[hub\]'"):
        load_state("hf:owner/repository/weights.pt")


@pytest.mark.parametrize(
    ("source", "checksum", "message"),
    [
        ("weights.pt", "abc", "sha256 is 'abc'; expected 64 hexadecimal digits"),
        ("weights.pt", "g" * 64, "expected 64 hexadecimal digits"),
        ("https://example.org/weights.pt", None, "an address; give the sha256"),
        ("http://example.org/weights.pt", None, "an address; give the sha256"),
        ("hf:weights.pt", None, "expected a hub file as hf:owner/repository/file"),
    ],
)
def test_a_source_that_can_never_be_loaded_is_refused(source, checksum, message):
    with pytest.raises(ParameterError, match=message):
        check_source(source, checksum)


def test_weights_that_do_not_fit_are_listed():
    given = {"weight": torch.zeros(2, 2), "gain": torch.zeros(1)}
    with pytest.raises(
        WeightsError,
        match=r"missing: bias; unexpected: gain; misshapen: weight is \(2, 2\), expected \(2, 3\)",
    ):
        fit(nn.Linear(3, 2, device="meta"), given, "x.pt")


def test_a_long_list_of_what_does_not_fit_is_cut():
    many = {f"layer{i}": torch.zeros(1) for i in range(8)}
    with pytest.raises(WeightsError, match="layer4 and 3 more"):
        fit(nn.Identity(), many, "x.pt")


def test_a_module_of_fitting_weights_draws_no_random_number():
    before = torch.random.get_rng_state()
    with torch.device("meta"):
        module = nn.Linear(3, 2)
    fit(module, {"weight": STATE["a.weight"], "bias": STATE["a.bias"]}, "x.pt")
    assert torch.equal(module.weight, STATE["a.weight"])
    assert torch.equal(torch.random.get_rng_state(), before)
