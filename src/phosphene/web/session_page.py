"""The live page of a session: one HTML document that asks its server how the session stands; nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from string import Template


@dataclass(frozen=True)
class Page:
    """A document and the policy under which a browser is to show it.

    Attributes:
        html: the document; it holds nothing of a session, so anybody may read it.
        policy: the header ``Content-Security-Policy``: its own script and style run, by their digests, and no others;
            it talks to its own server only; no page may frame it.
    """

    html: bytes
    policy: str


@cache
def session_page() -> Page:
    """The live page.

    >>> b"<title>phosphene session</title>" in session_page().html
    True
    """
    style, script = _text("session_page.css"), _text("session_page.js")
    document = Template(_text("session_page.html")).substitute(style=style, script=script)
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(document.encode(), policy)


def _text(name: str) -> str:
    return resources.files("phosphene.web").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """What a policy calls an inline script or style (Content Security Policy level 3, section 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
