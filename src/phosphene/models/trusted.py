"""Networks that a stranger's document names: loaded again only as far as they are trusted."""

from __future__ import annotations

from collections.abc import Mapping

from phosphene._types import JSON
from phosphene.errors import TrustError
from phosphene.models.load import reload, sources
from phosphene.models.network import Network


def reload_trusted(source: Mapping[str, JSON], *, trust: bool) -> Network:
    """The network of a source that came from a document; only the bundled one is loaded without trust.

    Raises:
        TrustError: it would import a library, download weights or call a factory, and ``trust`` is false.
        NetworkError, WeightsError: it cannot be loaded again.
    """
    for inner in sources(source):
        needs = {
            "timm": "import timm and download weights",
            "torchvision": "import torchvision and download weights",
            "factory": f"import and call {inner.get('target')!r}",
        }
        if inner.get("kind") in needs and not trust:
            need = needs[str(inner["kind"])]
            raise TrustError(
                f"this picture would {need}; allow that with trust=True (--trust), or give the network as net="
            )
    return reload(source)
