"""Caches lie in the user's folder or in PROXYLAB_CACHE, never in the current one."""

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from proxylab.storage import store
from proxylab.storage.user_cache import cache_root, keep_kernels
from proxylab_envs.procgen import install


def test_the_folder_is_the_system_s(monkeypatch):
    monkeypatch.delenv("PROXYLAB_CACHE")
    assert cache_root() == platformdirs.user_cache_path("proxylab", appauthor=False)
    assert store.cache_folder() == cache_root() / "rollouts"


def test_a_folder_of_one_s_own(monkeypatch, tmp_path):
    monkeypatch.setenv("PROXYLAB_CACHE", str(tmp_path))
    assert store.cache_folder() == tmp_path / "rollouts"
    assert install.cache_folder().parent == tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="the real Procgen exists for Linux only")
@pytest.mark.parametrize("user", [None, "", "/somewhere"])
def test_the_real_game_is_kept_in_the_same_folder(monkeypatch, user):
    """``proxylab_envs`` has the rule once more: it does without platformdirs."""
    monkeypatch.delenv("PROXYLAB_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if user is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", user)
    assert install.cache_folder().parent == cache_root()


def test_kernels_are_kept_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("PROXYLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "elsewhere")
    keep_kernels()
    assert os.environ["NUMBA_CACHE_DIR"] == "elsewhere"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    keep_kernels()
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "numba")


def test_a_kernel_is_compiled_into_the_cache_and_nothing_into_the_current_folder(tmp_path):
    here, cache = tmp_path / "here", tmp_path / "cache"
    here.mkdir()
    root = Path(__file__).parents[2]
    names = ("NUMBA_CACHE_DIR", "PROXYLAB_RESULTS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {"PROXYLAB_CACHE": str(cache), "PYTHONPATH": f"{root}:{root / 'envs'}"}
    code = "import proxylab; proxylab.TASKS['boat-race'].make_env(1).reset()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert list(here.iterdir()) == []
    assert list((cache / "numba").rglob("*.nbi"))
