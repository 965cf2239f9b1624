"""Why a request is not answered."""

from __future__ import annotations

from phosphene.errors import PhospheneError


class RefusalError(PhospheneError, ValueError):
    """A request is refused; what it asked for was not done.

    Attributes:
        status: the status of HTTP with which it is answered (RFC 9110 section 15.5).
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
