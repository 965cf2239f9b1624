"""A builder to be killed: ``atlas_driver.py URI STEPS SEEDS [ADDRESS]``, in this process or on a cluster of Ray."""

from __future__ import annotations

import os
import sys

from small_atlas import build, storage

from phosphene.atlas.backends.ray import RayBackend


def main(uri: str, steps: str, seeds: str, address: str = "") -> None:
    build(
        uri,
        steps=int(steps),
        seeds=int(seeds),
        backend=RayBackend(address) if address else None,
        storage_options=storage(os.environ.get("S3_PORT")),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
