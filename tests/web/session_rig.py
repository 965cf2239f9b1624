"""A small session, a neuron that answers to it, and servers over it, in a thread or in a process of their own."""

from __future__ import annotations

import contextlib
import io
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from PIL import Image

import phosphene as ph
from phosphene.optimizers import CMAES, RandomSearch
from phosphene.sessions import Plan, Session, Thread
from phosphene.spaces import ImageSpace
from phosphene.web.session_server import serve

SIZE = 16
POPULATION = 6
N_REFERENCES = 2
SHOWN = 2 * POPULATION + N_REFERENCES
WAIT_S = 60.0


def make_session(directory: Path, **plan: Any) -> Path:
    """Threads "a" (CMA-ES) and "b" (random search) on 16 × 16 pixels, and two reference images of noise."""
    space = ImageSpace(ph.Fourier(SIZE, SIZE, sd=1.0))
    threads = (
        Thread("a", space, CMAES(population=POPULATION)),
        Thread("b", space, RandomSearch(population=POPULATION), seed=1),
    )
    generator = torch.Generator().manual_seed(0)
    references = [torch.rand(3, SIZE, SIZE, generator=generator) for _ in range(N_REFERENCES)]
    Session.create(directory, Plan(**{"threads": threads, **plan}), references=references)
    return directory


def neuron(png: bytes) -> float:
    """Responds to light on the left and dark on the right."""
    levels = np.asarray(Image.open(io.BytesIO(png)), dtype=float).mean(axis=2) / 255
    half = levels.shape[1] // 2
    return float(levels[:, :half].mean() - levels[:, half:].mean())


@dataclass
class Served:
    """A server that runs.

    Attributes:
        address: such as "http://127.0.0.1:40123".
        token: the secret.
        lines: what it has said.
        directory: the session's.
    """

    address: str
    token: str
    directory: Path
    lines: list[str] = field(default_factory=list[str])

    @property
    def host(self) -> str:
        return self.address.removeprefix("http://")

    def client(self, **headers: str) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.token}"} | headers
        return httpx.Client(base_url=self.address, headers=headers, timeout=WAIT_S, trust_env=False)


@contextlib.contextmanager
def served(directory: Path, **how: Any) -> Iterator[Served]:
    """A server in a thread of this process."""
    said: queue.Queue[str] = queue.Queue()
    over, errors = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            with Session.open(directory) as session:
                serve(session, say=said.put, stop=over.is_set, **how)
        except BaseException as error:
            errors.append(error)
            said.put("")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        first = said.get(timeout=WAIT_S)
        assert first, errors
        yield _at(first, directory)
    finally:
        over.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert not errors


def _at(line: str, directory: Path) -> Served:
    found = re.fullmatch(r"Live page: (http://\S+)/#token=(\S+)", line)
    assert found, line
    return Served(found[1], found[2], directory, [line])


_SCRIPT = """
import sys
from phosphene.sessions import Session
from phosphene.web.session_server import serve
with Session.open(sys.argv[1]) as session:
    serve(session, say=lambda line: print(line, flush=True))
print("closed", flush=True)
"""


@contextlib.contextmanager
def served_process(directory: Path) -> Iterator[tuple[subprocess.Popen[str], Served]]:
    """A server in a process of its own, killed at the end if it still runs."""
    path = os.pathsep.join([str(Path(ph.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", _SCRIPT, str(directory)]
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, encoding="utf-8"
    )
    deadline = threading.Timer(WAIT_S, process.kill)
    deadline.start()
    try:
        assert process.stdout
        assert process.stderr
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield process, _at(line.strip(), directory)
    finally:
        deadline.cancel()
        process.kill()
        process.communicate(timeout=WAIT_S)


def responses(client: httpx.Client) -> list[dict[str, Any]]:
    """What the neuron says to all that waits."""
    stimuli = client.get("/ask").raise_for_status().json()["stimuli"]
    return [
        {"id": s["id"], "trial": s["trial"], "response": neuron(client.get(s["url"]).raise_for_status().content)}
        for s in stimuli
    ]


def run_generations(client: httpx.Client, n: int) -> None:
    for _ in range(n):
        client.post("/tell", json={"trials": responses(client)}).raise_for_status()
