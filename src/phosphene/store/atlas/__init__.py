"""Atlases on disk and at addresses: rows of pictures in Parquet files, found, read, written, checked and packed.

Nothing here needs torch; pyarrow and fsspec are imported when they are first used.
"""

from __future__ import annotations

from phosphene.store.atlas.columns import COLUMNS
from phosphene.store.atlas.compacting import Compaction
from phosphene.store.atlas.fact_columns import LayerAnswers, TopExamples
from phosphene.store.atlas.folder import AtlasFolder
from phosphene.store.atlas.index import Damaged, Index, LayerIndex
from phosphene.store.atlas.manifest import FORMAT, AtlasLayer, AtlasNetwork, Manifest, PictureFormat
from phosphene.store.atlas.opening import check_same_plan, create_atlas, open_atlas
from phosphene.store.atlas.records import (
    STATUSES,
    VARIANTS,
    Answers,
    ExampleKind,
    FactExample,
    Link,
    Picture,
    Status,
    UnitFacts,
    Variant,
)
from phosphene.store.atlas.report import Doubled, Missing, Report
from phosphene.store.atlas.slugs import slug_of, slugs

__all__ = [
    "COLUMNS",
    "FORMAT",
    "STATUSES",
    "VARIANTS",
    "Answers",
    "AtlasFolder",
    "AtlasLayer",
    "AtlasNetwork",
    "Compaction",
    "Damaged",
    "Doubled",
    "ExampleKind",
    "FactExample",
    "Index",
    "LayerAnswers",
    "LayerIndex",
    "Link",
    "Manifest",
    "Missing",
    "Picture",
    "PictureFormat",
    "Report",
    "Status",
    "TopExamples",
    "UnitFacts",
    "Variant",
    "check_same_plan",
    "create_atlas",
    "open_atlas",
    "slug_of",
    "slugs",
]
