"""Black boxes behind an address, over real sockets of the loopback."""

from __future__ import annotations

import base64
import gzip
import io
import json
import socket
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from networks import random_images
from PIL import Image

from phosphene.errors import ArgumentError, ImageError, MissingExtraError, ParameterError, StorageError
from phosphene.scorers import HTTPScorer
from phosphene.scorers.http_deadline import Deadline

pytest.importorskip("httpx")
CPU = torch.device("cpu")


def images(n=5, channels=3):
    return random_images(n, channels, (4, 6), dtype=torch.float32)


class Server(ThreadingHTTPServer):
    """Answers as ``answer(handler, body)`` says, and writes down what it was asked."""

    daemon_threads = True

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.asked = answer, []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/score"

    def handle_error(self, request, client_address):
        """A client that hangs up is what some tests want."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((dict(self.headers), body))
        self.server.answer(self, body)

    def say(self, content, status=200, **headers):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format, *args):
        """Nothing on the terminal."""


@contextmanager
def serving(answer):
    server = Server(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def decoded(body):
    """The images (n, h, w, c) of a request, as a server without phosphene reads them."""
    if body[:2] == b"PK":
        return np.load(io.BytesIO(body), allow_pickle=False)["images"]
    pngs = [base64.b64decode(text) for text in json.loads(body)["images"]]
    arrays = [np.asarray(Image.open(io.BytesIO(png)), np.float32) / 255 for png in pngs]
    return np.stack([a if a.ndim == 3 else a[..., None] for a in arrays])


def colors(handler, body):
    """A server of as many units as there are colours."""
    handler.say({"responses": decoded(body).mean((1, 2)).tolist()})


def ask(server, seen=None, **options):
    with HTTPScorer(server.url, **{"wait_s": 0.01, "retries": 0, **options}).open(CPU) as respond:
        return respond(images() if seen is None else seen)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("form", ["png", "npz"])
def test_the_servers_numbers_are_the_responses(form, channels):
    seen = images(5, channels)
    with serving(colors) as server:
        found = ask(server, seen, form=form)
    assert (found.shape, found.dtype) == ((5, channels), torch.float64)
    expected = seen.double().mean((2, 3)).numpy()
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6 if form == "npz" else 1 / 500)


def test_npz_is_exact_and_png_is_the_nearest_of_256_levels():
    seen = images(2)
    with serving(colors) as server:
        ask(server, seen, form="npz")
        ask(server, seen)
        npz, png = (decoded(body) for _, body in server.asked)
    np.testing.assert_array_equal(npz, seen.permute(0, 2, 3, 1).numpy())
    np.testing.assert_array_equal(np.rint(png * 255), np.rint(seen.permute(0, 2, 3, 1).numpy() * 255))


def test_images_are_sent_in_batches_and_not_changed():
    seen = images(5)
    before = seen.clone()
    with serving(colors) as server:
        whole, parts = ask(server, seen), ask(server, seen, batch_size=2)
        sizes = [len(decoded(body)) for _, body in server.asked]
    assert sizes == [5, 2, 2, 1]
    assert torch.equal(whole, parts)
    assert torch.equal(seen, before)


def test_one_number_for_each_image_is_a_response_and_null_is_lost():
    with serving(lambda handler, body: handler.say({"responses": [1, None, 2.5, None, -3]})) as server:
        found = ask(server)
    np.testing.assert_array_equal(found.numpy(), [[1], [np.nan], [2.5], [np.nan], [-3]])
    with serving(lambda handler, body: handler.say({"responses": [[1, None]] * 5})) as server:
        np.testing.assert_array_equal(ask(server).numpy(), [[1, np.nan]] * 5)


def test_no_images_are_not_sent():
    with serving(colors) as server:
        assert ask(server, images(0)).shape == (0, 1)
        assert server.asked == []


def test_a_failing_server_is_asked_again_under_the_same_key():
    def answer(handler, body):
        if len(handler.server.asked) < 3:
            handler.say(b"still starting", status=[500, 503][len(handler.server.asked) - 1])
        else:
            colors(handler, body)

    with serving(answer) as server:
        found = ask(server, retries=2)
        keys = [headers["Idempotency-Key"] for headers, _ in server.asked]
        assert keys == [keys[0]] * 3
        assert found.shape == (5, 3)


def test_images_that_are_shown_again_are_another_request():
    with serving(colors) as server:
        with HTTPScorer(server.url).open(CPU) as respond:
            respond(images())
            respond(images())
        first, second = (headers["Idempotency-Key"] for headers, _ in server.asked)
    assert first != second


def test_a_run_that_is_done_again_is_not_answered_from_the_memory_of_the_first():
    with serving(colors) as server:
        for _ in range(3):
            ask(server, batch_size=3)
        keys = [headers["Idempotency-Key"] for headers, _ in server.asked]
    assert len(set(keys)) == len(keys) == 6


def test_a_server_that_says_how_long_is_waited_for():
    def answer(handler, body):
        if len(handler.server.asked) == 1:
            handler.say(b"busy", status=429, **{"Retry-After": "0"})
        else:
            colors(handler, body)

    with serving(answer) as server:
        began = time.monotonic()
        ask(server, retries=1, wait_s=30.0)
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_that_goes_on_failing_is_given_up_with_its_words(status):
    with serving(lambda handler, body: handler.say(b"no monkey today" + b"!" * 9000, status=status)) as server:
        with pytest.raises(
            StorageError, match=rf"answered with status {status}, after 3 attempt\(s\): 'no monkey"
        ) as caught:
            ask(server, retries=2)
        assert len(server.asked) == 3
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("status", [204, 302, 400, 401, 404])
def test_a_refusal_is_not_asked_again(status):
    def answer(handler, body):
        handler.say(b"" if status == 204 else b"go away", status=status, Location="/elsewhere")

    with serving(answer) as server:
        with pytest.raises(StorageError, match=rf"answered with status {status}, after 1 attempt\(s\)"):
            ask(server, retries=5)
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>hello</html>",
        b'{"responses": [1, 2',
        {"scores": [1] * 5},
        [1] * 5,
        {"responses": "many"},
        {"responses": [1, 2, "three", 4, 5]},
        {"responses": [True] * 5},
        {"responses": [[[1]]] * 5},
        {"responses": {"a": 1}},
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b"null",
    ],
)
def test_answers_that_are_something_else_are_refused_with_their_beginning(content):
    with (
        serving(lambda handler, body: handler.say(content)) as server,
        pytest.raises(StorageError, match="answered with .*; expected the JSON") as caught,
    ):
        ask(server)
    assert len(str(caught.value)) < 500


def test_answers_of_another_length_are_refused():
    for rows in ([1] * 4, [[1, 2]] * 6, []):
        with (
            serving(lambda handler, body, rows=rows: handler.say({"responses": rows})) as server,
            pytest.raises(ParameterError, match="answered 5 images with numbers of shape"),
        ):
            ask(server)
    with (
        serving(lambda handler, body: handler.say({"responses": [[1], [1, 2], [1], [1], [1]]})) as server,
        pytest.raises(StorageError, match="gave more responses to some images than to others"),
    ):
        ask(server)


def test_infinite_numbers_are_lost():
    with serving(lambda handler, body: handler.say(b'{"responses": [1e999, NaN, -Infinity, 1, 2]}')) as server:
        assert ask(server).isnan().flatten().tolist() == [True, True, True, False, False]


def test_a_number_that_no_float_holds_is_refused():
    huge = b'{"responses": [1, 2, 3, 4, 1' + b"0" * 400 + b"]}"
    with serving(lambda handler, body: handler.say(huge)) as server, pytest.raises(ArgumentError, match="real numbers"):
        ask(server)


def test_an_endless_answer_is_cut_off():
    def answer(handler, body):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(2000):
            handler.wfile.write(b"10000\r\n" + b"a" * 65536 + b"\r\n")

    with serving(answer) as server:
        with pytest.raises(StorageError, match="status 200 and more than the 4194304 bytes that are read: 'aaaa"):
            ask(server, retries=3)
        assert len(server.asked) == 1


def test_a_packed_answer_is_not_unpacked():
    packed = gzip.compress(b" " * 10**7)
    with serving(lambda handler, body: handler.say(packed, **{"Content-Encoding": "gzip"})) as server:
        with pytest.raises(StorageError, match="expected the JSON"):
            ask(server)
        assert server.asked[0][0]["Accept-Encoding"] == "identity"


def test_a_server_that_keeps_silent_is_given_up():
    released = threading.Event()
    with serving(lambda handler, body: released.wait(20)) as server:
        began = time.monotonic()
        with pytest.raises(StorageError, match=r"gave no answer, after 2 attempt\(s\): '(ReadT|no whole)"):
            ask(server, timeout_s=0.2, retries=1)
        assert time.monotonic() - began < 10
        released.set()


def test_a_server_that_drips_is_given_up_too():
    stopped = threading.Event()

    def answer(handler, body):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not stopped.wait(0.05):
            handler.wfile.write(b" ")

    with serving(answer) as server:
        with pytest.raises(StorageError, match="gave no answer, after 1 attempt.*no whole answer within 0.4 s"):
            ask(server, timeout_s=0.4)
        stopped.set()


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.0 200 OK\r\n\r\n"], ids=["headers", "body without a length"])
def test_a_deadline_holds_for_every_byte_of_the_answer(beginning):
    stopped = threading.Event()

    def answer(handler, body):
        handler.wfile.write(beginning or b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not stopped.wait(0.05):
            handler.wfile.write(b" ")

    with serving(answer) as server:
        began = time.monotonic()
        with pytest.raises(StorageError, match=r"after 2 attempt\(s\): 'no whole answer within 0.3 s"):
            ask(server, timeout_s=0.3, retries=1)
        assert time.monotonic() - began < 5
        stopped.set()


def test_a_deadline_of_one_answer_leaves_the_next_alone():
    with serving(colors) as server, HTTPScorer(server.url, timeout_s=0.5, retries=0).open(CPU) as respond:
        assert respond(images()).shape == (5, 3)
        time.sleep(0.7)
        assert respond(images()).shape == (5, 3)
        assert len({headers["Host"] for headers, _ in server.asked}) == 1


def test_a_connection_that_is_made_too_late_is_cut_at_once():
    one, other = socket.socketpair()
    with one, other:
        deadline = Deadline()
        with deadline.within(0.0):
            until = time.monotonic() + 5
            while not deadline.over and time.monotonic() < until:
                time.sleep(0.01)
            stream = SimpleNamespace(get_extra_info={"socket": one}.get)
            deadline.trace("connection.connect_tcp.complete", {"return_value": stream})
        other.settimeout(5)
        assert other.recv(1) == b""


def test_a_connection_that_breaks_is_tried_again():
    def answer(handler, body):
        if len(handler.server.asked) == 1:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b'{"resp')
            handler.close_connection = True
        else:
            colors(handler, body)

    with serving(answer) as server:
        assert ask(server, retries=1).shape == (5, 3)


def test_where_nobody_listens_is_said():
    with serving(colors) as server:
        url = server.url
    with (
        HTTPScorer(url, retries=1, wait_s=0.0).open(CPU) as respond,
        pytest.raises(StorageError, match=r"gave no answer, after 2 attempt\(s\): 'ConnectError"),
    ):
        respond(images())


def test_a_token_comes_from_the_environment_and_is_in_no_record(monkeypatch):
    monkeypatch.setenv("LAB_TOKEN", "open sesame")
    with serving(colors) as server:
        ask(server, token_from="LAB_TOKEN")
        assert server.asked[0][0]["Authorization"] == "Bearer open sesame"
        assert "sesame" not in json.dumps(HTTPScorer(server.url, token_from="LAB_TOKEN").describe())
        monkeypatch.delenv("LAB_TOKEN")
        with pytest.raises(ParameterError, match="token_from is 'LAB_TOKEN', but no environment variable"):
            ask(server, token_from="LAB_TOKEN")


def test_several_rounds_use_one_connection():
    ports = []

    def answer(handler, body):
        ports.append(handler.client_address[1])
        colors(handler, body)

    with serving(answer) as server, HTTPScorer(server.url).open(CPU) as respond:
        for _ in range(3):
            respond(images())
    assert len(set(ports)) == 1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ftp://127.0.0.1/", "'ftp://127.0.0.1/'"),
        ("127.0.0.1:8000", "'127.0.0.1:8000'"),
        ("http://", "'http://'"),
        ("http://me:secret@127.0.0.1/", "'one with a password'"),
    ],
)
def test_addresses_that_are_none_or_hold_a_password_are_refused(url, shown):
    with pytest.raises(ParameterError, match=f"url is {shown}; expected http") as caught:
        HTTPScorer(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"form": "jpg"}, "form is 'jpg'"),
        ({"timeout_s": 0}, "timeout_s is 0.0"),
        ({"retries": -1}, "retries is -1"),
        ({"wait_s": 1000}, "wait_s is 1000.0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 4097}, "batch_size is 4097; expected a whole number from 1 to 4096"),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(ParameterError, match=sentence):
        HTTPScorer("http://127.0.0.1/", **options)


def test_images_that_no_png_can_hold_are_refused():
    with serving(colors) as server:
        with pytest.raises(ImageError, match="cannot be a PNG"):
            ask(server, images(2, 5))
        assert ask(server, images(2, 5), form="npz").shape == (2, 5)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtraError, match=r"HTTPScorer needs the extra 'http'"):
        HTTPScorer("http://127.0.0.1/").open(CPU).__enter__()
