"""Black boxes behind an address: images are posted, responses come back."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import MissingExtraError, StorageError
from phosphene.scorers.base import MAX_BATCH, BoxComponent, Respond, as_responses, check_count, checked_images
from phosphene.scorers.http_deadline import Deadline
from phosphene.scorers.http_messages import idempotency_key, read_answer, request_headers, write_images

if TYPE_CHECKING:
    import httpx

#: Answers by which a server says that another attempt may do: too many requests, and errors of its own.
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})
#: Bytes of an answer: room for 100 000 responses.
_MAX_ANSWER = 2**22
#: Seconds between two attempts, at most.
_MAX_WAIT_S = 60.0
#: Random bytes by which requests of different runs differ.
_NONCE = 16
#: Characters of a refusal that an error shows.
_SHOWN = 200


@dataclass(frozen=True)
class HTTPScorer(BoxComponent):
    """A server that answers images with numbers. Needs the extra "http".

    Images are sent as ``POST url``: with ``form="png"`` the JSON ``{"images": [base64 of a PNG, …]}``, 8 bits a
    channel; with ``form="npz"`` NumPy's ``.npz`` with the array ``images`` (n, h, w, c), float32 in [0, 1]. The answer
    is the JSON ``{"responses": […]}`` of n numbers, or of n lists of k numbers; null is a response that was lost. A
    request that fails for a passing reason is sent again with the same ``Idempotency-Key``, so that a server can answer
    it from memory instead of showing the images twice; every other request has a key of its own, in other runs too.

    Attributes:
        url: where images are posted; http or https.
        form: how images are sent.
        timeout_s: seconds for an attempt, from connecting to the last byte of the answer; finding the host's address
            is not counted.
        retries: further attempts after the first; where no server answers, it is too busy, or fails.
        wait_s: seconds before the second attempt, doubled for each further one, unless the server says how long.
        batch_size: images of a request, at most; up to 4096.
        token_from: name of an environment variable whose value is sent as ``Authorization: Bearer …``; it is in no
            record.
    """

    url: str
    form: Literal["png", "npz"] = "png"
    timeout_s: float = 60.0
    retries: int = 3
    wait_s: float = 0.5
    batch_size: int = 32
    token_from: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = urlsplit(self.url)
        fits = parts.scheme in ("http", "https") and parts.hostname and not parts.username and not parts.password
        expected = "http:// or https:// and a host, without a password, which every record would show: use token_from"
        check(bool(fits), "url", self.url if not parts.password else "one with a password", expected)
        check(self.form in ("png", "npz"), "form", self.form, "'png' or 'npz'")
        check(0 < self.timeout_s < math.inf, "timeout_s", self.timeout_s, "seconds above 0")
        check(0 <= self.retries <= 100, "retries", self.retries, "a whole number from 0 to 100")
        check(0 <= self.wait_s <= _MAX_WAIT_S, "wait_s", self.wait_s, f"seconds from 0 to {_MAX_WAIT_S:g}")
        check_count("batch_size", self.batch_size, MAX_BATCH)

    @property
    def name(self) -> str:
        return self.url

    @property
    def risk(self) -> str:
        token = f", with the secret that {self.token_from} holds" if self.token_from else ""
        return f"send images to {self.url}{token}"

    @contextmanager
    def open(self, device: torch.device) -> Generator[Respond, None, None]:
        """See :meth:`BlackBox.open`; connections are kept while the block lasts.

        The answering function raises ``StorageError`` where no usable answer comes: the message holds the status and
        the beginning of the answer.

        Raises:
            MissingExtraError: httpx is not installed.
            ParameterError: the variable of the token is not set.
        """
        try:
            import httpx
        except ImportError:
            raise MissingExtraError("HTTPScorer", "http") from None
        with httpx.Client(timeout=self.timeout_s, headers=request_headers(self.token_from)) as client:
            yield _Responding(self, client)


class _Responding:
    """An open client; requests are numbered within it, and it tells itself from others by a nonce, so that equal images
    may be shown again.
    """

    def __init__(self, spec: HTTPScorer, client: httpx.Client) -> None:
        self.spec, self.client, self.n_requests = spec, client, 0
        self.deadline = Deadline()
        # Not from any seed: the same experiment, done again, must not be answered with the trials of the first.
        self.nonce = secrets.token_bytes(_NONCE)

    def __call__(self, images: Tensor) -> Float[Tensor, "n k"]:
        seen = checked_images(images).cpu()
        found = [self._answered(some) for some in seen.split(self.spec.batch_size) if len(some)]
        return torch.cat(found) if found else torch.empty(0, 1, dtype=torch.float64)

    def _answered(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        body, kind = write_images(images, self.spec.form)
        headers = {"Content-Type": kind, "Idempotency-Key": idempotency_key(body, self.n_requests, self.nonce)}
        self.n_requests += 1
        answer = self._posted(body, headers)
        return as_responses(read_answer(answer, self.spec.url), len(images), self.spec.url)

    def _posted(self, body: bytes, headers: dict[str, str]) -> bytes:
        """The body of the answer, by as many attempts as are allowed."""
        attempt, (status, answer, wait_s) = 0, self._attempt(body, headers)
        while (status is None or status in _TRY_AGAIN) and attempt < self.spec.retries:
            backed_off = self.spec.wait_s * 2**attempt
            time.sleep(min(_MAX_WAIT_S, backed_off if wait_s is None else wait_s))
            attempt, (status, answer, wait_s) = attempt + 1, self._attempt(body, headers)
        if status == 200:
            return answer
        what = answer.decode(errors="replace").strip()[:_SHOWN]
        said = "gave no answer" if status is None else f"answered with status {status}"
        raise StorageError(f"{self.spec.url} {said}, after {attempt + 1} attempt(s): {what!r}")

    def _attempt(self, body: bytes, headers: dict[str, str]) -> tuple[int | None, bytes, float | None]:
        """Status, body, and how many seconds the server asks to wait; None and the reason where no answer came."""
        import httpx

        too_late = f"no whole answer within {self.spec.timeout_s:g} s".encode()
        try:
            with self.deadline.within(self.spec.timeout_s):
                found = self._exchange(body, headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = f"{type(error).__name__}: {error}".encode()
            return None, too_late if self.deadline.over else why, None
        # An answer without a length ends where the connection does.
        return (None, too_late, None) if self.deadline.over else found

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, float | None]:
        answer, noticed = bytearray(), {"trace": self.deadline.trace}
        request = self.client.stream("POST", self.spec.url, content=body, headers=headers, extensions=noticed)
        with request as response:
            for part in response.iter_raw():
                answer += part
                if len(answer) > _MAX_ANSWER:
                    raise StorageError(
                        f"{self.spec.url} answered with status {response.status_code} and more than the "
                        f"{_MAX_ANSWER} bytes that are read: {bytes(answer[:_SHOWN]).decode(errors='replace')!r}"
                    )
            return response.status_code, bytes(answer), _seconds(response.headers.get("Retry-After"))


def _seconds(text: str | None) -> float | None:
    """What ``Retry-After`` says, if it is a number of seconds."""
    return float(text) if text is not None and text.isdecimal() else None
