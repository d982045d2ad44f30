"""A few seconds of coverage-guided fuzzing for each parser, where atheris is installed."""

import subprocess
import sys
from pathlib import Path

import pytest
from parsers import MAKERS

SCRIPT = Path(__file__).parent / "fuzz_parsers.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_no_input_gets_out(name, tmp_path):
    pytest.importorskip("atheris")
    command = [sys.executable, str(SCRIPT), name, "-runs=2000", "-seed=1", "-rss_limit_mb=3000"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Done 2000" in done.stderr
