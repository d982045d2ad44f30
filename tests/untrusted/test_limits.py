"""The table of limits, and what reads within them."""

import os
from pathlib import Path

import pytest

from proxylab.errors import AgentError, UsageError
from proxylab.storage.limits import LIMITS, as_markdown, read_within, regular_file, rows

DOCUMENT = Path(__file__).parents[2] / "docs" / "strangers.md"


def test_the_documentation_shows_the_table():
    assert as_markdown() in DOCUMENT.read_text()
    assert all(row["value"] > 0 and row["what"] for row in rows())


def test_a_file_at_the_limit_is_read_and_one_over_it_is_not(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_within(path, 5) == b"12345"
    with pytest.raises(AgentError, match="larger than the limit of 4 bytes"):
        read_within(path, 4, AgentError)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(UsageError, match="this is no file"):
            read_within(path, LIMITS.json_bytes)
    with pytest.raises(UsageError, match="there is no such file"):
        read_within(tmp_path / "none", 1)


def test_a_regular_file_is_told_from_everything_else(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    for name in ("file", "link"):
        assert regular_file(tmp_path / name) == tmp_path / name
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(AgentError, match="this is no file"):
            regular_file(path, AgentError)
    with pytest.raises(UsageError, match="there is no such file"):
        regular_file(tmp_path / "none")
    for path in ("a\0b", "x" * 5000):
        with pytest.raises(UsageError, match="cannot be read"):
            regular_file(path)
