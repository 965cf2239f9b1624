"""Jobs that wait, and what the Ray backend refuses before anything of Ray is started."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from phosphene.atlas.backends.backend import Lost
from phosphene.atlas.backends.ray import RayBackend
from phosphene.atlas.backends.waiting import Waiting
from phosphene.atlas.jobs import Job
from phosphene.errors import ClusterError, MissingExtraError, ParameterError, StorageError

A, B, C = (Job(name, "layer", "recipe", ()) for name in "abc")


class Never:
    """Work that nobody may open."""

    def open(self) -> None:
        raise AssertionError("opened")


def test_new_jobs_are_taken_one_by_one_and_only_when_asked_for() -> None:
    taken: list[Job] = []

    def source() -> Iterator[Job]:
        for job in (A, B, C):
            taken.append(job)
            yield job

    waiting = Waiting(source())
    assert taken == []
    assert waiting
    assert taken == [A]
    assert waiting.take() == A
    assert taken == [A]
    assert (waiting.take(), waiting.take(), waiting.take()) == (B, C, None)
    assert not waiting


def test_what_comes_back_goes_out_first() -> None:
    waiting = Waiting(iter([A, B, C]))
    first, second = waiting.take(), waiting.take()
    assert (first, second) == (A, B)
    waiting.give_back(B)
    assert waiting.lost(A, "killed") is None
    assert [waiting.take() for _ in range(4)] == [A, B, C, None]


def test_the_third_loss_of_a_job_is_the_last_whatever_happens_to_others() -> None:
    waiting = Waiting(iter([A, B]))
    for _ in range(2):
        assert waiting.take() == A
        assert waiting.lost(A, "killed") is None
    assert waiting.take() == A
    assert waiting.lost(A, "out of memory") == Lost(A, "its worker was lost 3 times, the last time so: out of memory")
    assert waiting.take() == B
    assert waiting.lost(B, "killed") is None


def test_the_third_error_of_a_job_is_raised_as_it_is() -> None:
    waiting, error = Waiting(iter([A])), StorageError("the disk is full")
    for _ in range(2):
        waiting.raised(A, error)
        assert waiting.take() == A
    with pytest.raises(StorageError, match="^the disk is full$") as caught:
        waiting.raised(A, error)
    assert caught.value is error


def test_without_jobs_nothing_is_started() -> None:
    assert list(RayBackend("127.0.0.1:1").run(iter(()), Never())) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "ray://127.0.0.1:10001"}, r"address is 'ray://127.0.0.1:10001'; expected .*host:port"),
        ({"address": "127.0.0.1"}, r"address is '127.0.0.1'; expected .*host:port"),
        ({"address": "127.0.0.1:70000"}, "address is '127.0.0.1:70000'"),
        ({"workers": 0}, "workers is 0; expected at least 1"),
        ({"threads_per_worker": 0}, "threads_per_worker is 0; expected at least 1"),
        ({"gpus_per_worker": -0.5}, "gpus_per_worker is -0.5; expected at least 0"),
        ({"start_within_s": 0.0}, "start_within_s is 0.0; expected more than 0"),
    ],
)
def test_parameters_out_of_range_are_refused(options: dict, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        RayBackend(**options)


def test_an_address_where_nobody_answers_is_told_at_once() -> None:
    pytest.importorskip("ray")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ClusterError, match=rf"no Ray cluster answers at {address}: .*refused.*ray start --head"):
            list(RayBackend(address).run(iter([A]), Never()))


def test_the_address_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "no.such.host.invalid:6379")
    with pytest.raises(ClusterError, match="no Ray cluster answers at no.such.host.invalid:6379"):
        list(RayBackend().run(iter([A]), Never()))


def test_an_address_that_ray_does_not_understand_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    with pytest.raises(ClusterError, match="no Ray cluster answers at nonsense: Invalid address format"):
        list(RayBackend().run(iter([A]), Never()))


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        MissingExtraError, match=r"a build on Ray needs the extra 'ray'.*pip install 'phosphene\[ray\]'"
    ):
        list(RayBackend().run(iter([A]), Never()))
