"""Who may talk to a session's server: hosts, origins and the token."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from phosphene.errors import ParameterError
from phosphene.web.session_refusal import RefusalError

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,200}")  # the letters of a bearer token, RFC 6750 section 2.1
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


@dataclass(frozen=True)
class Access:
    """What a request must show.

    A page of somebody else's in the same browser can send requests to this server, and can give its own name to the
    server's address ("DNS rebinding"): so a request must name a host that nobody else owns, must not come from a page
    of another origin, and must carry the token in a header, which no page can add without being asked first.

    Attributes:
        token: the secret; never shown in ``repr``.
        hosts: names by which a request may call the server, in small letters; empty for any.
        anywhere: whether any numerical address will do, as when the server is bound elsewhere than on loopback.
    """

    token: str = field(repr=False)
    hosts: frozenset[str] = frozenset({"localhost"})
    anywhere: bool = False

    @classmethod
    def at(cls, host: str, token: str | None = None) -> Access:
        """Access to a server that is bound to ``host``; without a token one is made.

        Raises:
            ParameterError: a token that is short, or that a header cannot carry.
        """
        token = secrets.token_urlsafe(24) if token is None else token
        if not _TOKEN.fullmatch(token):
            raise ParameterError(
                f"token has {len(token)} characters; expected 16 to 200 of letters, digits and ._~+/=-, hard to guess"
            )
        if is_loopback(host):
            return cls(token, frozenset({"localhost", host.lower()}))
        return cls(token, frozenset({"localhost", host.lower(), socket.gethostname().lower()}), anywhere=True)

    def refusal(self, headers: Mapping[str, str], *, public: bool) -> RefusalError | None:
        """Why a request with these headers is refused; None if it is not.

        Args:
            headers: by name, in small letters.
            public: whether what is asked for needs no token: a page without any data.
        """
        return self._wrong_host(headers) or self._wrong_origin(headers, public) or self._wrong_token(headers, public)

    def _wrong_host(self, headers: Mapping[str, str]) -> RefusalError | None:
        name = _host_name(headers.get("host", ""))
        if name and (name in self.hosts or (_is_address(name) if self.anywhere else is_loopback(name))):
            return None
        return RefusalError(
            403, "the request names a host that is not this server; use the address printed at its start"
        )

    def _wrong_origin(self, headers: Mapping[str, str], public: bool) -> RefusalError | None:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        same = origin is None or _network_place(origin) == headers.get("host", "").lower()
        # A link on another page may open the page; only the page itself may then ask for more.
        if same and (public or site in ("none", "same-origin")):
            return None
        return RefusalError(
            403, "the request comes from a web page of another origin; open the address printed at the start"
        )

    def _wrong_token(self, headers: Mapping[str, str], public: bool) -> RefusalError | None:
        if public:
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        # Compared as bytes: hmac refuses texts that are not ASCII.
        if scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self.token.encode()):
            return None
        what = "a wrong token" if scheme else "no token"
        return RefusalError(
            401, f"{what} came; send the header 'Authorization: Bearer TOKEN', with the token printed at the start"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that is bound to ``host``.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _network_place(origin: str) -> str | None:
    """Host and port of an ``Origin`` header; None for one that is none, such as ``http://[``."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _host_name(host: str) -> str:
    """The name in a ``Host`` header, without port and brackets; empty for none."""
    found = _HOST.fullmatch(host)
    return found["name"].strip("[]").lower().rstrip(".") if found else ""
