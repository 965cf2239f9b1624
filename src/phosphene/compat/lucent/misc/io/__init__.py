"""Pictures in notebooks."""

from __future__ import annotations

from phosphene.compat.lucent.misc.io.showing import image, images, show

__all__ = ["image", "images", "show"]
