"""A process that sees no network but the loopback device, so that Ray keeps to 127.0.0.1; and everything that it starts.

Run as a program, it moves into new namespaces and becomes the script that it is given.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

NEW_USER, NEW_NET, NEW_MOUNTS = 0x10000000, 0x40000000, 0x00020000
SET_FLAGS, UP_AND_RUNNING = 0x8914, 0x1 | 0x40
PRIVATE = 1 << 18 | 16384  # MS_PRIVATE | MS_REC: mounts made here stay here
SMALL_DISK = "SMALL_DISK"
RAYS_FOLDER = Path("/tmp/ray")  # in memory here, so that nothing of it stays; tmp_path is too long for Ray's sockets


@contextlib.contextmanager
def process_alone(*command: str, note: Path, small_disk: str = "") -> Iterator[subprocess.Popen[str]]:
    """The script and its arguments, by this Python, in a network namespace of their own; ended with all that they
    started when the block ends. ``small_disk``: a folder that gets a file system of its own, "PATH:BYTES".
    """
    process = subprocess.Popen(
        [sys.executable, __file__, str(note), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), SMALL_DISK: small_disk},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        end_namespace(note.read_text() if note.exists() else "")
        process.communicate()


def run_alone(*command: str, folder: Path, within_s: float, small_disk: str = "") -> str:
    """What the script writes to its standard output. Raises `AssertionError` with all it said where it fails."""
    with process_alone(*command, note=folder / "namespace", small_disk=small_disk) as process:
        try:
            out, err = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{command} took more than {within_s} s") from None
    assert process.returncode == 0, f"{command}: {process.returncode}\n{out[-4000:]}\n{err[-8000:]}"
    return out


def is_permitted(folder: Path) -> bool:
    """Whether this user may make namespaces here."""
    with process_alone("-c", "pass", note=folder / "probe", small_disk=f"{folder}:1000000") as process:
        process.communicate(timeout=60)
    return process.returncode == 0


def end_namespace(network: str) -> None:
    """Kill -9 whatever runs in a network namespace, by its link in /proc; never this process's own."""
    if not network or network == own_network():
        return
    for _ in range(20):
        found = list(inside(network))
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return
        time.sleep(0.1)


def own_network() -> str:
    """The network namespace of this process, by its link in /proc."""
    return str(Path("/proc/self/ns/net").readlink())


def inside(network: str) -> Iterator[int]:
    """Processes, no zombies, in a network namespace."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if str((entry / "ns/net").readlink()) == network and entry.joinpath("cmdline").read_bytes():
                    yield int(entry.name)


def environment() -> dict[str, str]:
    """This process's, in which every Python finds phosphene, these modules and the tiny networks, and has one thread; Ray
    leaves no token in the home folder.
    """
    import phosphene

    here = Path(__file__).parent
    ours = [here, here.parents[1] / "core", Path(phosphene.__file__).parents[1]]
    paths = [*map(str, ours), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "RAY_AUTH_MODE": "disabled"}


def _move() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    flags = NEW_NET | NEW_MOUNTS | (NEW_USER if os.geteuid() else 0)
    user, group = os.geteuid(), os.getegid()
    _must(libc.unshare(flags))
    if flags & NEW_USER:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, SET_FLAGS, struct.pack("16sh14x", b"lo", UP_AND_RUNNING))
    disk, _, n_bytes = os.environ.pop(SMALL_DISK, "").rpartition(":")
    _must(libc.mount(b"none", b"/", None, PRIVATE, None))
    RAYS_FOLDER.mkdir(exist_ok=True)
    for folder, size in {str(RAYS_FOLDER): "200000000", disk: n_bytes}.items():
        if folder:
            _must(libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, f"size={size}".encode()))


def _must(code: int) -> None:
    if code:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main(note: str, *command: str) -> None:
    _move()
    Path(note).write_text(own_network())
    os.execv(sys.executable, [sys.executable, *command])


if __name__ == "__main__":
    main(*sys.argv[1:])
