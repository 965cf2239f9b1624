"""Activation atlases: what a layer makes of many photographs, on a plane (Carter and others, Distill 2019)."""

from __future__ import annotations

from phosphene.atlas.activations.api import activation_atlas, aligned_activation_atlas
from phosphene.atlas.activations.icons import Icons
from phosphene.atlas.activations.layout import UMAP, Layout, Principal

__all__ = ["UMAP", "Icons", "Layout", "Principal", "activation_atlas", "aligned_activation_atlas"]
