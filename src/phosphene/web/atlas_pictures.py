"""What the page of a unit is told of its pictures."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from phosphene.store.atlas.records import Answers, Picture
from phosphene.web.atlas_reading import Damage
from phosphene.web.atlas_scripts import Document, rounded

_MISSING = "It has not been rendered yet, or the file that held it is damaged; `phosphene atlas verify` tells which."
_PNG = re.compile(r"(0|[1-9][0-9]{0,9})-(positive|negative|diverse)(?:-([0-9]{1,9}))?(?:-seed(-?[0-9]{1,18}))?\.png")


@dataclass(frozen=True)
class PictureForm:
    """How the pictures of a layer are told.

    Attributes:
        seeds: the atlas's, in its order.
        pngs: folder of the site that has them as PNG files; None where it has none.
    """

    seeds: tuple[int, ...]
    pngs: str | None

    @property
    def seed(self) -> int:
        """The first of the seeds: that of a picture of which none is named."""
        return self.seeds[0]

    def seed_place(self, picture: Document) -> int:
        """Where a picture's seed stands among the atlas's; behind them for one that is none of them."""
        return self.seeds.index(picture["seed"]) if picture["seed"] in self.seeds else len(self.seeds)

    def png_name(self, unit: int, variant: str, *, member: int, seed: int) -> str:
        """The name of a picture's PNG file, such as ``7-positive.png`` or ``7-diverse-2.png``."""
        which = f"-{member}" if variant == "diverse" else ""
        return f"{unit}-{variant}{which}{'' if seed == self.seed else f'-seed{seed}'}.png"

    def picture(self, picture: Picture, answers: Answers | None) -> Document:
        """A picture, and how its score stands among answers to photographs."""
        score = rounded(picture.score)
        name = self.png_name(picture.unit, picture.variant, member=picture.member, seed=picture.seed)
        has_png = self.pngs is not None and picture.image is not None and picture.status == "ok"
        return {
            "id": picture.id,
            "variant": picture.variant,
            "member": picture.member,
            "seed": picture.seed,
            "src": embedded("webp", picture.image),
            "status": picture.status,
            "reason": picture.reason,
            "score": score,
            "robust": rounded(picture.robust_score),
            "percentile": None if answers is None or score is None else rounded(answers.percentile(score)),
            "multiple": None if answers is None or score is None else rounded(answers.multiple(score)),
            "curve": [rounded(value, 4) for value in picture.curve],
            "seconds": rounded(picture.seconds, 3),
            "recipe": picture.recipe,
            "width": picture.width,
            "height": picture.height,
            "png": f"{self.pngs}/{name}" if has_png else None,
        }

    def damaged(self, damage: Damage) -> Document:
        """A picture that cannot be read, in the same form."""
        shows = {"variant": damage.variant, "member": damage.member, "seed": damage.seed}
        return shows | _none("damaged", damage.reason)

    def missing(self) -> Document:
        """The first picture of a unit that has none, in the same form."""
        return {"variant": "positive", "member": 0, "seed": self.seed} | _none("missing", _MISSING)


def png_unit(name: str) -> int | None:
    """The unit of whose picture that is the PNG name; None for a text that is none."""
    found = _PNG.fullmatch(name)
    return int(found[1]) if found else None


def embedded(kind: str, data: bytes | None) -> str:
    """An encoded picture as an address that holds it; empty for none."""
    return "" if data is None else f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _none(status: str, reason: str) -> Document:
    numbers = dict.fromkeys(("score", "robust", "percentile", "multiple", "seconds", "png"))
    said = {"id": "", "src": "", "status": status, "reason": reason, "recipe": "", "width": 0, "height": 0}
    return said | numbers | {"curve": []}
