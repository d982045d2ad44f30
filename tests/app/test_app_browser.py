"""A missing browser is a failure in continuous integration and skips elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxylab.bench.browser import chromium
from proxylab.cli import main
from proxylab.errors import UsageError

PAGE = Path(__file__).with_name("test_app_page.py")
TEST = f"{PAGE}::test_a_phone_shows_all_without_scrolling_sideways[360-light]"


@pytest.mark.parametrize(
    ("ci", "code", "said"),
    [("true", 1, "1 error"), pytest.param("", 0, "1 skipped", marks=pytest.mark.slow)],
)
def test_tests_of_the_page_fail_in_ci_and_skip_elsewhere(tmp_path, ci, code, said):
    environment = {**os.environ, "PATH": str(tmp_path), "CI": ci}
    command = [sys.executable, "-m", "pytest", "-v", "-rsE", "-p", "no:cacheprovider", TEST]
    found = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=PAGE.parents[2], check=False
    )
    assert found.returncode == code, found.stdout
    assert said in found.stdout
    assert "no chromium here" in found.stdout


def test_the_benchmark_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr("proxylab.bench.browser.shutil.which", lambda name: None)
    with pytest.raises(UsageError, match="apt-get install chromium"), chromium():
        raise AssertionError("there is no browser")
    assert main(["bench", "app"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
