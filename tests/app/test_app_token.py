"""Who is let in: the token in the address, the cookie that it becomes, and nobody else."""

import hmac
import http.client
import json
import re

import pytest

from proxylab.app.server import make_app
from proxylab.app.serving import exposure
from proxylab.app.token import TICKET_SECONDS, Token, new_token
from proxylab.cli import main
from proxylab.errors import UsageError

JSON = {"content-type": "application/json"}


def call(address, method, path, headers=None):
    """(status, headers, body) of one request; nothing is added to it."""
    connection = http.client.HTTPConnection(*address, timeout=120)
    body = "{}" if method == "POST" else None
    connection.request(method, path, body, {**(JSON if body else {}), **(headers or {})})
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read()
    connection.close()
    return found


@pytest.fixture(scope="session")
def routes(worlds):
    """(method, path) of everything that the application answers."""
    starlette = make_app(worlds, "127.0.0.1", 1, None).app
    found = [(method, route.path) for route in starlette.routes for method in route.methods]
    assert {("GET", "/"), ("HEAD", "/"), ("GET", "/api/catalogue")} < set(found)
    assert ("POST", "/api/field") in found
    return found


def wrong_headers(address):
    """Headers without the token, each almost right."""
    name, secret = address.token.cookie, address.token.secret
    return [
        {},
        {"cookie": f"{name}="},
        {"cookie": f"{name}={secret[:-1]}"},
        {"cookie": f"{name}={secret}x"},
        {"cookie": f"{name}={secret[::-1]}"},
        {"cookie": f"other-{name}={secret}"},
        {"cookie": f"{name}\xe9={secret}"},
        {"cookie": f"{name}={secret[:-1]}\xe9"},
        {"cookie": secret},
        {"authorization": f"Bearer {secret}"},
        {"referer": address.link},
    ]


def test_no_route_answers_without_the_token(address, routes):
    for method, path in routes:
        for headers in wrong_headers(address):
            status, _, body = call(address, method, path, headers)
            assert status == 403, (method, path, headers)
            if method != "HEAD" and path != "/":
                assert json.loads(body) == {"error": "the token is missing or wrong"}


def test_every_route_answers_with_the_cookie(address, routes):
    for method, path in routes:
        expected = 400 if method == "POST" else 200  # {} lacks every field
        assert call(address, method, path, address.token.header())[0] == expected, path


def test_what_is_not_there_is_not_told_to_those_without_the_token(address):
    for method, path in (("GET", "/nosuch"), ("PUT", "/api/level"), ("POST", "/")):
        status, _, body = call(address, method, path)
        assert status == 403
        assert json.loads(body)["error"]
    assert call(address, "GET", "/nosuch", address.token.header())[0] == 404


def test_a_person_without_the_token_is_told_where_it_is(address):
    status, headers, body = call(address, "GET", "/")
    assert status == 403
    assert headers["content-type"].startswith("text/html")
    assert b"proxylab app" in body
    assert address.token.secret.encode() not in body


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address(address):
    status, headers, _ = call(address, "GET", f"/?token={address.token.secret}")
    assert (status, headers["location"]) == (303, "/")
    pair, *attributes = headers["set-cookie"].split("; ")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    assert str(address[1]) in pair.split("=")[0]
    assert call(address, "GET", "/", {"cookie": f"a=b; {pair}; c"})[0] == 200


def test_a_wrong_token_in_the_address_is_refused_even_with_the_cookie(address):
    secret = address.token.secret
    for query in ("token=", "token=x", f"token={secret}x", f"token={secret}&token={secret}"):
        for headers in ({}, address.token.header()):
            status, found, _ = call(address, "GET", f"/?{query}", headers)
            assert status == 403, query
            assert "set-cookie" not in found


def test_the_token_in_the_address_opens_the_page_only(address):
    secret = address.token.secret
    assert call(address, "GET", f"/api/catalogue?token={secret}")[0] == 403
    assert call(address, "POST", f"/?token={secret}")[0] == 403


def test_other_pages_are_refused_with_the_cookie_too(address):
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{address[1] + 1}"):
        headers = {**address.token.header(), "origin": origin}
        assert call(address, "POST", "/api/level", headers)[0] == 403
        assert call(address, "GET", f"/?token={address.token.secret}", headers)[0] == 403
    headers = {**address.token.header(), "host": f"evil.example:{address[1]}"}
    assert call(address, "GET", "/", headers)[0] == 403


def test_tokens_are_compared_in_constant_time(address, monkeypatch):
    compared = []

    def recorded(*texts):
        compared.append(texts)
        return hmac_compare(*texts)

    hmac_compare = hmac.compare_digest
    monkeypatch.setattr("proxylab.app.token.hmac.compare_digest", recorded)
    call(address, "GET", "/", {"cookie": f"{address.token.cookie}=near"})
    call(address, "GET", "/?token=nearly")
    assert {(b"near"), (b"nearly")} <= {shown for shown, _ in compared}
    assert {secret for _, secret in compared} >= {address.token.secret.encode()}


def visit(token, shown):
    """Whether the address with ``shown`` opens the page."""
    return token.opened_by({"query_string": f"token={shown}".encode()})


def test_a_ticket_opens_the_page_once_and_soon(monkeypatch):
    token = Token(new_token(), 1)
    assert not visit(token, "")  # no ticket yet
    ticket = token.new_ticket()
    assert visit(token, ticket)
    assert not visit(token, ticket)
    late = token.new_ticket()
    monkeypatch.setattr("time.monotonic", lambda: token._ticket_ends + TICKET_SECONDS)
    assert not visit(token, late)
    assert visit(token, token.secret)


def test_tokens_are_long_random_and_checked():
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) == 32
    assert new_token("my.own~to-k_en") == "my.own~to-k_en"
    for wrong in ("", "short", "x" * 129, "with space", "semi;colon", "ünïcödes", "new\nline8"):
        with pytest.raises(UsageError, match="8 to 128"):
            new_token(wrong)


def test_the_line_says_who_can_use_the_page():
    assert exposure("127.0.0.1", 1, "secret") == ""
    assert "every user of this machine" in exposure("::1", 1, None)
    assert "without encryption" in exposure("0.0.0.0", 1, "secret")
    assert "everybody who reaches" in exposure("0.0.0.0", 1, None)


def test_the_command_prints_the_address_with_the_token(capsys):
    words = ["app", "--no-serve", "--port", "0", "--tasks", "boat-race", "--json"]
    assert main([*words, "--token", "in-the-open"]) == 0
    found = capsys.readouterr()
    assert re.search(r"http://127\.0\.0\.1:\d+/\?token=in-the-open ", found.err)
    assert "in-the-open" not in found.out
    assert main(words) == 0
    assert re.search(r"/\?token=[\w-]{32} ", capsys.readouterr().err)


def test_without_a_token_one_line_says_so(capsys):
    words = ["app", "--no-serve", "--port", "0", "--tasks", "boat-race", "--no-token"]
    assert main(words) == 0
    error = capsys.readouterr().err
    assert "no token: every user of this machine can use the page\n" in error
    assert "?token" not in error


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--token", "short"], "8 to 128"), (["--token", "long-enough", "--no-token"], "exclude")],
)
def test_a_bad_token_is_one_line_and_exit_2(words, said, capsys):
    assert main(["app", "--tasks", "boat-race", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_browser_keeps_the_cookie_and_shows_no_token(page, address):
    page.goto(address.link + "#seed=3")
    page.locator("#now-b", has_text="step").wait_for()
    assert address.token.secret not in page.url
    assert "seed=3" in page.url
    assert page.evaluate("document.cookie") == ""  # HttpOnly
    page.reload()
    page.locator("#now-b", has_text="step").wait_for()
    (cookie,) = page.context.cookies()
    assert (cookie["sameSite"], cookie["httpOnly"]) == ("Strict", True)
