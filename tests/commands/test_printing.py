"""Results as text: short numbers, no colour in a pipe, nothing cut."""

from dataclasses import dataclass, field

import pytest

from proxylab.commands.inventory import Inventory
from proxylab.commands.printing import show
from proxylab.console.output import plain, track


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, ""),
        (3, "3"),
        (0.123456, "0.1235"),
        (1234567.8, "1,234,568"),
        (["a", 0.5], "a, 0.5"),
    ],
)
def test_cells(value, text):
    assert plain(value) == text


def test_a_piped_table_is_neither_cut_nor_coloured(capsys):
    rows = [{"name": "x" * 100, "long": "y" * 100}, {"name": "[red]", "long": "FLAG"}]
    show(Inventory("things", rows), None)
    out = capsys.readouterr().out
    assert "x" * 100 + "  " + "y" * 100 in out
    assert "[red]" in out
    assert "\x1b" not in out


def test_an_empty_list_says_what_to_do_on_stderr(capsys):
    show(Inventory("things", [], "make some"), None)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "make some\n")


@dataclass
class Unknown:
    schema: str = "x/1"
    seconds_taken: float = 1.5
    nested: dict = field(default_factory=dict)


def test_a_result_without_a_function_of_its_own(capsys):
    show(Unknown(), None)
    assert capsys.readouterr().out == "seconds taken: 1.5\n"


def test_track_gives_every_job_and_prints_nothing_to_a_pipe(capsys):
    assert list(track([1, 2, 3], "working")) == [1, 2, 3]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.strip() == ""
