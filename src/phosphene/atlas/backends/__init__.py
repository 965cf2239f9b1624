"""Where an atlas is rendered: behind one small interface, this process or a cluster."""

from phosphene.atlas.backends.backend import Backend, Done, Lost, Work, Worker
from phosphene.atlas.backends.local import LocalBackend

__all__ = ["Backend", "Done", "LocalBackend", "Lost", "Work", "Worker"]
