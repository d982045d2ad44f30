"""``proxylab app`` on the command line."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from proxylab.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuch"], "there is no agent here"),
        (["--port", "99999"], "not between 0 and 65535"),
        (["--tasks", "nosuch"], "unknown task"),
        (["--export", "page.txt"], "ends in .html"),
        (["--export", "page.html", "--episodes", "5"], "neither 0 nor"),
        (["--host", "nosuch.invalid", "--no-serve"], "cannot listen"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["app", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_is_named(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["app", "--port", str(port), "--tasks", "boat-race"]) == 2
    assert f"127.0.0.1:{port}" in capsys.readouterr().err


def test_without_serving_it_fetches_the_page_once(capsys):
    assert main(["app", "--no-serve", "--port", "0", "--tasks", "boat-race", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", found["url"])
    assert 50_000 < found["num_bytes"] < 500_000
    assert found["worlds"] == {"boat-race": 15}


def test_the_single_file_has_verdicts_and_agents_of_ones_own(capsys, tmp_path):
    path = tmp_path / "page.html"
    own = "zoo:maze-corner/honest-00"
    words = [own, "--tasks", "maze-corner", "--export", path, "--episodes", "10", "--json"]
    assert main(["app", *map(str, words)]) == 0
    assert json.loads(capsys.readouterr().out)["num_bytes"] == path.stat().st_size < 500_000
    text = path.read_text()
    data = json.loads(re.search(r'id="embedded">(.*?)</script>', text)[1])
    assert {own, "zoo:maze-corner/proxy-00", "zoo:maze-corner/trusted-00"} == set(data["agents"])
    verdicts = {name: found["verdict"] for name, found in data["verdicts"].items()}
    assert verdicts["zoo:maze-corner/proxy-00"] == "FLAG"
    assert verdicts[own] != "FLAG"
    assert data["catalogue"]["worlds"][0]["pair"][0] == own
    assert not re.search(r"(?:src|href)=\"(?!data:)", text)


BROWSER = """\
import http.cookiejar, sys, urllib.request
cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
answer = urllib.request.build_opener(cookies).open(sys.argv[1], timeout=60)
print(sys.argv[1], answer.url, b"main.js" in answer.read(), file=open("visited.tmp", "w"))
import os
os.rename("visited.tmp", "visited")
"""


@pytest.mark.parametrize("words", [[], ["--no-open"]])
def test_at_a_terminal_on_a_desktop_it_opens_the_page(tmp_path, words):
    (tmp_path / "browser.py").write_text(BROWSER)
    browser = f"{sys.executable} {tmp_path / 'browser.py'} %s"
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "proxylab", "app", "--port", "0", "--tasks", "boat-race"]
    process = subprocess.Popen(
        [*command, *words],
        cwd=tmp_path,
        env={**os.environ, "DISPLAY": ":none", "BROWSER": browser},
        stdout=subprocess.DEVNULL,
        stderr=end,
    )
    try:
        url = printed_address(terminal)
        if words:
            time.sleep(1)
            assert not (tmp_path / "visited").exists()
        else:
            shown, arrived, complete = when_there(tmp_path / "visited").split()
            assert (arrived, complete) == (url.split("?")[0], "True")
            assert shown.startswith(f"{arrived}?token=")
            assert shown != url  # others can read what a browser is started with
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(end)


def printed_address(terminal):
    """The address that a process prints at its terminal."""
    text = ""
    while not (found := re.search(r"the page is at (\S+) \(Ctrl-C", text)):
        text += os.read(terminal, 4096).decode()
    return found[1]


def when_there(path):
    """The text of a file that is about to be written."""
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, "no browser was started"
        time.sleep(0.05)
    return path.read_text()
