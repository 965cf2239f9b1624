"""Images brought to a network's input size, as renders measure clean pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from phosphene.functional.random import Streams
from phosphene.transforms import ToInput, ViewPipeline, ViewPlan
from phosphene.transforms.base import ViewFunction


class Fitting:
    """Resizes batches of a fixed number of images; a size that came before is prepared already."""

    def __init__(self, size: tuple[int, int] | None, batch_size: int, device: torch.device) -> None:
        self.size = size
        self.streams = Streams(("scored",) * batch_size, 0, device)
        self.known: dict[tuple[int, int], ViewFunction] = {}

    def __call__(self, images: Tensor) -> Tensor:
        """The images (b, c, h, w) at the wanted size, bilinear, averaged where it shrinks; as they are without one."""
        canvas = (images.shape[2], images.shape[3])
        if self.size is None or canvas == self.size:
            return images
        if canvas not in self.known:
            plan = ViewPlan(canvas, self.streams, 1, self.size)
            self.known[canvas] = ViewPipeline((ToInput(),), plan).look(0)
        return self.known[canvas](images)
