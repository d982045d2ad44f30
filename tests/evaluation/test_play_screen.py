"""The screen of ``play``."""

import io

import pytest

from proxylab.evaluation.play import play
from proxylab.evaluation.play_screen import CLOSE, OPEN


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_a_terminal_gets_a_page_with_the_keys_and_keeps_the_last_frame():
    screen = Terminal()
    play("maze-corner", keys="wq", screen=screen)
    page, left = screen.getvalue().removeprefix(OPEN).split(CLOSE)
    assert page.count("arrows or w a s d, 0 up, 1 down, 2 left, 3 right; q quits") == 2
    assert "true 0" in left
    assert "q quits" not in left


def test_a_pipe_gets_plain_frames():
    screen = io.StringIO()
    play("maze-corner", keys="wq", screen=screen)
    assert "\x1b" not in screen.getvalue()


def test_the_terminal_is_given_back_after_an_error():
    def keys():
        yield "w"
        raise RuntimeError

    screen = Terminal()
    with pytest.raises(RuntimeError):
        play("maze-corner", keys=keys(), screen=screen)
    assert CLOSE in screen.getvalue()
