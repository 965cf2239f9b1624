"""Pages over what was rendered. The pages of this room are strings made with the standard library alone."""

from __future__ import annotations

from phosphene.web.gallery import Picture, Section, gallery_page

__all__ = ["Picture", "Section", "gallery_page"]
