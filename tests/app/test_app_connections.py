"""Clients that are slow, silent, many or broken: nobody else waits for them."""

import contextlib
import http.client
import json
import socket
import threading
import time

import pytest

from proxylab.app import connections
from proxylab.app.connections import CONNECTIONS
from proxylab.app.server import Server, make_app
from proxylab.app.token import Token

PROMPT = 8.0
"""Seconds in which an answer that takes milliseconds has to be there on a busy machine."""


@pytest.fixture
def brief(monkeypatch):
    """Requests have to arrive within half a second."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.5)


@contextlib.contextmanager
def opened(address, count=1):
    """``count`` sockets that are connected to the server."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(address, timeout=30)) for _ in range(count)
        ]


def catalogue_time(address):
    """Seconds until the catalogue is there."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(*address, timeout=30)
    connection.request("GET", "/api/catalogue", headers=address.token.header())
    answer = connection.getresponse()
    assert answer.status == 200
    answer.read()
    connection.close()
    return time.monotonic() - began


def everything(sock):
    """What arrives until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def refusal(answer, status):
    """The one line of a raw answer in JSON."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert b"content-type: application/json" in head.lower()
    assert b"nosniff" in head.lower()
    (item,) = json.loads(body).items()
    assert item[0] == "error"
    return item[1]


def head(address, method="GET", path="/api/catalogue", extra=""):
    """The head of a request that carries the token, without its empty line."""
    cookie = address.token.header()["Cookie"]
    lines = [f"{method} {path} HTTP/1.1", "Host: {}:{}".format(*address), f"Cookie: {cookie}"]
    return "".join(f"{line}\r\n" for line in lines) + extra


@pytest.mark.parametrize("said", [b"", b"G", b"GET / HTTP/1.1\r\n"])
def test_many_idle_sockets_keep_nobody_out(address, said):
    with opened(address, 3 * CONNECTIONS) as socks:
        for sock in socks:
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                sock.sendall(said)
        assert catalogue_time(address) < PROMPT
        assert catalogue_time(address) < PROMPT


def test_idle_sockets_do_keep_others_out_where_none_is_replaced(address, monkeypatch):
    """The control of the test above."""
    monkeypatch.setattr(connections.Connection, "_replace_idle", lambda self: False)
    with opened(address, CONNECTIONS), opened(address) as (late,):
        assert "at once" in refusal(everything(late), 503)


def test_the_oldest_idle_socket_makes_room(address):
    with opened(address, CONNECTIONS + 8) as socks:
        assert everything(socks[0]) == b""
        socks[-1].sendall(f"{head(address)}Connection: close\r\n\r\n".encode())
        assert everything(socks[-1]).startswith(b"HTTP/1.1 200")


def test_one_byte_at_a_time_ends_at_the_deadline(address, brief):
    text, began = head(address).encode() * 50, time.monotonic()
    with opened(address) as (sock,):
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for byte in text:
                sock.sendall(bytes([byte]))
                time.sleep(0.05)
                if time.monotonic() - began > PROMPT:
                    raise AssertionError("the server still reads")
        assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize(
    "begun",
    [
        lambda address: "GET / HT",
        lambda address: head(address),
        lambda address: head(address, "POST", "/api/level", BODY + "\r\n{"),
        lambda address: head(address, "POST", "/api/level", CHUNKED + "\r\n5\r\n{"),
    ],
)
def test_half_a_request_is_a_timeout_in_json(address, brief, begun):
    with opened(address) as (sock,):
        sock.sendall(begun(address).encode())
        assert "within 0.5 seconds" in refusal(everything(sock), 408)


def test_uvicorn_alone_waits_longer(served, monkeypatch):
    """The control of the test above."""
    monkeypatch.setattr("proxylab.app.server.Connection", "h11")
    with served(fault) as address, opened(address) as (sock,):
        sock.sendall(head(address).encode())
        sock.settimeout(2)
        with pytest.raises(TimeoutError):
            sock.recv(1)


BODY = "Content-Type: application/json\r\nContent-Length: 50\r\n"
CHUNKED = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"


def test_a_silent_socket_is_closed_without_an_answer(address, brief):
    with opened(address) as (sock,):
        assert everything(sock) == b""


def test_half_a_second_request_on_a_connection_ends_too(address, brief):
    whole = f"{head(address, 'HEAD')}\r\n"
    with opened(address) as (sock,):
        sock.sendall((whole + head(address)).encode())
        answer = everything(sock)
    assert answer.count(b"HTTP/1.1 200") == 1
    refusal(answer[answer.index(b"HTTP/1.1 408") :], 408)


def test_a_request_in_time_is_not_cut_off(address, brief):
    """The deadline is of the request, not of its answer, and ends with it."""
    connection = http.client.HTTPConnection(*address, timeout=30)
    for _ in range(4):
        connection.request("GET", "/static/main.js", headers=address.token.header())
        assert connection.getresponse().read()
        time.sleep(0.3)  # in all, longer than the deadline
    connection.close()


@pytest.mark.parametrize(
    "bytes_", [b"\r\n\x00\xff\r\n\r\n", b"GET /\xe9 HTTP/1.1\r\n\r\n", b"GET /\r\n\r\n"]
)
def test_what_is_no_http_is_refused_in_json(address, bytes_):
    with opened(address) as (sock,):
        sock.sendall(bytes_)
        assert "HTTP" in refusal(everything(sock), 400)


def test_a_head_without_end_is_refused_in_json(address):
    with opened(address) as (sock,), contextlib.suppress(ConnectionResetError, BrokenPipeError):
        sock.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000)
        assert "HTTP" in refusal(everything(sock), 400)


def test_a_client_that_goes_in_the_middle_leaves_no_traceback(address, capfd):
    with opened(address) as (sock,):
        sock.sendall(head(address, "POST", "/api/level", BODY + "\r\n{").encode())
        time.sleep(0.2)
    assert catalogue_time(address) < PROMPT
    assert "Traceback" not in capfd.readouterr().err


def test_the_server_s_own_fault_is_one_line_of_json(served):
    with served(fault) as address, opened(address) as (sock,):
        body = '{"x": 1}'
        extra = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        sock.sendall(head(address, "POST", "/api/verdict", extra).encode())
        said = refusal(received(sock), 500)
    assert said == "KeyError: 'of the server'"
    assert "Traceback" not in said


def fault(_worlds, _request):
    raise KeyError("of the server")


def received(sock):
    """A whole answer on a connection that stays open."""
    answer = b""
    while b"}\n" not in answer:
        answer += sock.recv(65_536)
    return answer


class Verdicts:
    """Answers ``/api/verdict`` with a function."""

    def __init__(self, ask):
        self.ask = ask


@pytest.fixture
def served(address):
    """Function (answer to /api/verdict) -> context of a server of its own."""

    @contextlib.contextmanager
    def serve(answer):
        listener = socket.create_server(("127.0.0.1", 0))
        found = type(address)(listener.getsockname())
        found.token = Token("a-token-of-a-test", found[1])
        app = make_app({}, *found, found.token, Verdicts(answer))
        with Server(app, listener):
            yield found

    return serve


def test_requests_at_once_are_limited_and_all_of_them_answered(served, monkeypatch):
    monkeypatch.setattr(connections, "CONNECTIONS", 3)
    go = threading.Event()
    began = threading.Semaphore(0)

    def slow(_worlds, _request):
        began.release()
        assert go.wait(30)
        return {"slow": True}

    with served(slow) as address, opened(address, 3) as busy:
        extra = "Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
        for sock in busy:
            sock.sendall(head(address, "POST", "/api/verdict", extra).encode())
            assert began.acquire(timeout=30)
        with opened(address) as (late,):
            assert "at once" in refusal(everything(late), 503)
        go.set()
        for sock in busy:
            assert everything(sock).startswith(b"HTTP/1.1 200")
        assert catalogue_time(address) < PROMPT


def test_an_answer_that_nobody_takes_is_dropped(served, monkeypatch):
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.5)
    large = {"large": "x" * 50_000_000}
    with served(lambda _worlds, _request: large) as address, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(30)
        sock.connect(address)
        extra = "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        sock.sendall(head(address, "POST", "/api/verdict", extra).encode())
        time.sleep(2)
        assert len(everything(sock)) < 25_000_000
