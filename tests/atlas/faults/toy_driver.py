"""A driver to be killed: toy jobs on a cluster, as ``toy_driver.py ADDRESS FOLDER``."""

from __future__ import annotations

import sys

from toy import Toy, toy_jobs

from phosphene.atlas.backends.ray import RayBackend

if __name__ == "__main__":
    for _ in RayBackend(sys.argv[1]).run(iter(toy_jobs(30)), Toy(sys.argv[2], 0.2)):
        pass
