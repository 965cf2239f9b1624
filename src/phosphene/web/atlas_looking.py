"""Looking for the units that a picture drives. Needs the network, and so torch, when it is used."""

from __future__ import annotations

import io
from threading import Lock
from typing import TYPE_CHECKING

from phosphene.errors import ImageError, NetworkError, ParameterError
from phosphene.store.decoding import open_picture
from phosphene.web.atlas_scripts import Document, rounded
from phosphene.web.atlas_view import AtlasView

if TYPE_CHECKING:
    from phosphene.models.network import Network
    from phosphene.store.atlas.manifest import AtlasNetwork

_MOST = 60  # units that are told
_MAX_PIXELS = 50_000_000  # of a photograph; decoded it takes three bytes each


class ImageSearch:
    """Shows pictures to a network, one at a time.

    Args:
        network: the one that the atlas is of.
    """

    def __init__(self, network: Network) -> None:
        self._network, self._lock = network, Lock()

    @classmethod
    def of(cls, network: Network, known: AtlasNetwork) -> ImageSearch:
        """A search with a network that answers as that of the atlas does.

        Raises:
            NetworkError: it has other weights, or is shown images otherwise.
        """
        if network.digest != known.digest:
            raise NetworkError(
                f"{network.name} has other weights ({network.digest[:12]}) than the atlas, which is of {known.name} "
                f"({known.digest[:12]}); give the network as it was when the atlas was built"
            )
        for name, was in {"input_size": list(known.input_size), **known.preprocessing}.items():
            now = getattr(network, name)
            if (list(now) if isinstance(now, tuple) else now) != was:
                raise NetworkError(
                    f"{network.name} is shown images otherwise: its {name} is {now}, but the atlas was built with {was}"
                    "; give the network as it was"
                )
        return cls(network)

    def units(self, view: AtlasView, data: bytes) -> list[Document]:
        """The units of an atlas that the picture in ``data`` drives more than photographs do, the first most.

        Raises:
            ImageError: it is no picture, damaged, or too large.
            ParameterError: the atlas has no answers to photographs.
        """
        from phosphene.blocks.searching import AnswerTable, units_driven_by

        _check(data)
        table = view.kept(
            "answers", lambda: AnswerTable.of(one for slug in view.layers for one in view.all_facts(slug))
        )
        if not table.units:
            raise ParameterError("the atlas knows no answers to photographs; build it with --images FOLDER")
        with self._lock:
            found = units_driven_by(self._network, data, table, n=_MOST)
        slugs = view.folder.slugs
        return [
            {
                "layer": one.layer,
                "slug": slugs[one.layer],
                "unit": one.unit,
                "address": f"{one.layer}:{one.unit}",
                "label": view.label(slugs[one.layer], one.unit),
                "value": rounded(one.value),
                "percentile": rounded(one.percentile),
                "spread": rounded(one.spread),
            }
            for one in found
        ]


def _check(data: bytes) -> None:
    """Look at a picture's header before anything large is made of it."""
    try:
        width, height = open_picture(io.BytesIO(data)).size
    except ImageError:
        raise
    except Exception as error:  # a damaged header raises whatever its decoder does
        raise ImageError(f"the picture cannot be read: {error}") from error
    if width * height > _MAX_PIXELS:
        raise ImageError(f"the picture has {width} x {height} pixels; at most {_MAX_PIXELS:,} are looked at")
