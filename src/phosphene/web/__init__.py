"""Pages over what was rendered, and a session's server. Pages are strings made with the standard library; only the
server (``phosphene.web.session_server``, extra ``web``) uses a framework.
"""

from __future__ import annotations

from phosphene.web.gallery import Picture, Section, gallery_page

__all__ = ["Picture", "Section", "gallery_page"]
