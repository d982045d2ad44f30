"""``.ci/run`` installs a browser where there is none, and runs the tests in any case."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"
STUB = """#!/bin/sh
echo "{name} $*" >>"{log}"
exit {code}
"""


@pytest.fixture
def run(tmp_path):
    """Function (commands that exist, those that fail) -> (exit status, calls, standard error)."""
    folder, log = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    for name in ("bash", "dirname", "env"):
        (folder / name).symlink_to(shutil.which(name))

    def started(commands, failing=(), user="0"):
        for name in commands:
            stub = STUB.format(name=name, log=log, code=int(name in failing))
            (folder / name).write_text(stub)
            (folder / name).chmod(0o755)
        (folder / "id").write_text(f"#!/bin/sh\necho {user}\n")
        (folder / "id").chmod(0o755)
        (folder / "sh").symlink_to("/bin/sh")
        environment = {**os.environ, "PATH": str(folder)}
        found = subprocess.run(
            [RUN], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        return found.returncode, log.read_text().splitlines(), found.stderr

    return started


INSTALLED = [
    "apt-get -qq update",
    "apt-get -qq install -y --no-install-recommends chromium",
    "make test",
]


@pytest.mark.parametrize("browser", ["chromium", "chromium-browser", "google-chrome"])
def test_nothing_is_installed_where_there_is_a_browser(run, browser):
    assert run([browser, "apt-get", "make"]) == (0, ["make test"], "")


def test_chromium_is_installed_where_there_is_none(run):
    assert run(["apt-get", "make"]) == (0, INSTALLED, "")


def test_who_is_not_root_installs_it_by_sudo_without_a_password(run):
    calls = run(["apt-get", "make", "sudo"], user="1000")[1]
    assert calls == [
        "sudo -n env apt-get -qq update",
        "sudo -n env DEBIAN_FRONTEND=noninteractive "
        "apt-get -qq install -y --no-install-recommends chromium",
        "make test",
    ]


@pytest.mark.parametrize(
    ("commands", "failing"), [(["make"], ()), (["apt-get", "make"], ["apt-get"])]
)
def test_where_it_cannot_be_installed_one_line_says_so_and_the_tests_run(run, commands, failing):
    status, calls, error = run(commands, failing)
    assert (status, calls[-1]) == (0, "make test")
    assert error == "no browser, and chromium could not be installed\n"


def test_failed_tests_fail_it(run):
    assert run(["chromium", "make"], ["make"])[0] == 1
