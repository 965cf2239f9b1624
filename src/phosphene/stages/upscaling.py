"""Stages that enlarge the image itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.functional.boxblur import box_blur
from phosphene.functional.resizing import CONVENTIONS, Convention, resize, scaled_size
from phosphene.stages.base import Enter, Stages

_MOST_STEPS = 10**6


@dataclass(frozen=True)
class Upscaling(Stages):
    """Draw on a small image, enlarge it, draw on: the canvas's size is the *first* stage's.

    DeepDream in TensorFlow (``render_multiscale``), MATLAB's ``deepDreamImage`` and "40 lines" work so.

    Attributes:
        n: number of stages.
        scale: size of a stage over the one before it, above 1.
        convention: how the image is enlarged, see :func:`phosphene.functional.resizing.resize`.
        rounding: how sizes are cut to whole pixels, see :func:`phosphene.functional.resizing.scaled_size`.
        blur: side of the box in pixels that blurs the image after it was enlarged ("40 lines": 5); None does not.
        late_factor: factor of the steps in the stages whose number, from 0, is above ``n / 2`` ("40 lines" in its
            experiments: 1.3).
    """

    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2015inceptionism", "mathworks2016deepdreamimage", "graetz2019forty")

    n: int = 3
    scale: float = 1.4
    convention: Convention = "tf1"
    rounding: Literal["floor", "float32"] = "float32"
    blur: int | None = None
    late_factor: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(1 <= self.n <= 64, "n", self.n, "a whole number from 1 to 64")
        check(1 < self.scale <= 64, "scale", self.scale, "a number above 1, at most 64")
        check(self.convention in CONVENTIONS, "convention", self.convention, f"one of {list(CONVENTIONS)}")
        check(self.rounding in ("floor", "float32"), "rounding", self.rounding, "'floor' or 'float32'")
        check(self.blur is None or 1 <= self.blur <= 255, "blur", self.blur, "a whole number from 1 to 255, or None")
        fits = 0 < self.late_factor <= _MOST_STEPS
        check(fits, "late_factor", self.late_factor, f"a number above 0, at most {_MOST_STEPS}")

    def sizes(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Height and width of each stage, smallest first; the first is the canvas's own.

        Raises:
            ParameterError: a stage would be larger than any image.

        >>> Upscaling(rounding="floor").sizes(227, 11)
        ((227, 11), (317, 15), (443, 21))
        """
        sizes = [(height, width)]
        while len(sizes) < self.n:
            sizes.append(scaled_size(sizes[-1], self.scale, self.rounding))
        return tuple(sizes)

    def begin(self, start: Float[Tensor, "n c h w"]) -> Enter:
        """What enlarges the image from one stage to the next, and blurs it."""
        sizes = self.sizes(start.shape[2], start.shape[3])

        def enter(stage: int, image: Tensor) -> Tensor:
            if stage == 0:
                return image
            image = resize(image, sizes[stage], self.convention)
            return image if self.blur is None else box_blur(image, self.blur)

        return enter

    def n_steps(self, stage: int, steps: int) -> int:
        """``steps``, times the late factor in the later half; cut to a whole number.

        >>> [Upscaling(n=4, late_factor=1.3).n_steps(stage, 20) for stage in range(4)]
        [20, 20, 20, 26]
        """
        return int(steps * self.late_factor) if stage > self.n / 2 else steps


@dataclass(frozen=True)
class Growing(Stages):
    """Stages at given shares of the canvas's size, the image resized from one to the next.

    The default grows from 2/8 to 8/8 in seven stages, as plug-in inversion does (Ghiasi et al. 2022).

    Attributes:
        shares: size of each stage over the canvas's, above 0; sizes go to the nearest pixel, at least one.
        convention: how the image is resized, see :func:`phosphene.functional.resizing.resize`.
    """

    cites: ClassVar[tuple[str, ...]] = ("ghiasi2022plugin",)

    shares: tuple[float, ...] = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
    convention: Convention = "half_pixel"

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = 0 < len(self.shares) <= 64 and all(0 < share <= 64 for share in self.shares)
        check(fits, "shares", self.shares, "1 to 64 numbers above 0, at most 64")
        check(self.convention in CONVENTIONS, "convention", self.convention, f"one of {list(CONVENTIONS)}")

    def sizes(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Height and width of each stage.

        >>> Growing((0.25, 1.0)).sizes(64, 30)
        ((16, 8), (64, 30))
        """
        return tuple((max(1, round(height * share)), max(1, round(width * share))) for share in self.shares)

    def begin(self, start: Float[Tensor, "n c h w"]) -> Enter:
        """What resizes the image to its stage, the start image too."""
        sizes = self.sizes(start.shape[2], start.shape[3])
        return lambda stage, image: resize(image, sizes[stage], self.convention)
