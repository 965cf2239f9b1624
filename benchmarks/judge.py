"""Measures a set of pictures: what the network, an unseen network and the eye's statistics say of each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from darknet import load_darknet, ranks
from metrics import appearance, best_photo_activations, robustness
from subjects import LAYERS
from torch import Tensor, nn

if TYPE_CHECKING:
    from phosphene import Network

HERE = Path(__file__).parent
CACHE = HERE / ".cache"
CLASSIFIER = "classifier"
NO_DATA = (
    "skipped: no photographs, no Darknet-tiny; put them into ../shared/data or name their folder in PHOSPHENE_DATA"
)


def data_folder() -> Path | None:
    """Photographs and the unseen network: `PHOSPHENE_DATA`, or `../shared/data` beside us; None if absent."""
    folder = Path(os.environ.get("PHOSPHENE_DATA", HERE.parent.parent / "shared" / "data"))
    return folder if (folder / "photos").is_dir() else None


@contextmanager
def outputs(module: nn.Module, layers: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """While the block lasts, what each layer put out in the last forward pass."""
    kept: dict[str, Tensor] = {}
    handles = [
        module.get_submodule(layer).register_forward_hook(lambda _m, _i, out, layer=layer: kept.__setitem__(layer, out))
        for layer in layers
    ]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class Judge:
    """Scores of pictures of one network, with the photographs in `data` as the measure."""

    net: Network
    data: Path

    @torch.no_grad()
    def activations(self, images: Tensor, layers: Iterable[str] = LAYERS) -> dict[str, Tensor]:
        """Mean activation (n c) of every channel of each layer; images (n 3 h w) in [0, 1]."""
        with outputs(self.net.module, layers) as kept:
            self.net(images)
        return {layer: values.flatten(2).mean(2) if values.ndim == 4 else values for layer, values in kept.items()}

    @cached_property
    def best(self) -> dict[str, Tensor]:
        """Best photograph's activation per channel, for each layer; kept in a file between runs."""
        path = CACHE / f"best_photos_{self.net.digest[:12]}.pt"
        if not path.exists():
            CACHE.mkdir(exist_ok=True)
            torch.save(best_photo_activations(self.activations, self.data / "photos"), path)
        return torch.load(path, weights_only=True)

    @cached_property
    def darknet(self) -> nn.Module:
        """The unseen network."""
        return load_darknet(self.data / "weights" / "darknet_tiny_std.pt")

    @torch.no_grad()
    def judge(self, images: Tensor, layer: str, channels: tuple[int, ...]) -> list[dict[str, float]]:
        """One record per image: its appearance, a class's `p` and `rank` or a channel's `ratio` and `robustness`."""
        rows = appearance(images).rows()
        figures = self._classes(images, channels) if layer == CLASSIFIER else self._channels(images, layer, channels)
        return [{**row, **own} for row, own in zip(rows, figures, strict=True)]

    def _classes(self, images: Tensor, classes: tuple[int, ...]) -> list[dict[str, float]]:
        own = torch.tensor(classes)
        p = self.net(images).softmax(1).gather(1, own[:, None])[:, 0]
        rank = ranks(self.darknet, images, own)
        return [{"p": p_one, "rank": rank_one} for p_one, rank_one in zip(p.tolist(), rank.tolist(), strict=True)]

    def _channels(self, images: Tensor, layer: str, channels: tuple[int, ...]) -> list[dict[str, float]]:
        rows: list[dict[str, float]] = []
        for image, channel in zip(images, channels, strict=True):

            def score(views: Tensor, channel: int = channel) -> Tensor:
                return self.activations(views, [layer])[layer][:, channel]

            clean = score(image[None]).item()
            ratio = clean / self.best[layer][channel].item()
            rows.append({"activation": clean, "ratio": ratio, "robustness": robustness(image, score)})
        return rows
