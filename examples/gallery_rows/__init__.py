"""The sheets of the gallery by name, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from gallery_rows import distill, dreams, forty_lines, generators, lucent, lucid, matlab, modern, regularization, zoo
from gallery_rows.layout import Strip
from gallery_rows.studio import Studio

#: What makes the strips of each sheet, by the name of its file, and the sheet's title.
ROWS: MappingProxyType[str, tuple[str, Callable[[Studio], Sequence[Strip]]]] = MappingProxyType(
    {
        "deepdream": ("DeepDream, for Caffe (2015)", dreams.caffe),
        "deepdream-tensorflow": ("DeepDream, in TensorFlow (2015)", dreams.tensorflow),
        "deep-dream-image": ("MATLAB's deepDreamImage (2016)", matlab.strips),
        "forty-lines": ("Multi-scale blurring, “40 lines” (2019)", forty_lines.strips),
        "zoo": ("The CNN-visualization zoo (2019)", zoo.strips),
        "distill": ("Distill, Feature Visualization (2017)", distill.strips),
        "regularization": ("Distill, what holds a picture back (2017)", regularization.strips),
        "lucid": ("Lucid (2017, 2018)", lucid.strips),
        "lucent": ("A Lucent script on phosphene (2020)", lucent.strips),
        "generators": ("Generators as parameterization (2016)", generators.strips),
        "modern": ("MaCo (2023) and feature accentuation (2024)", modern.strips),
    }
)
