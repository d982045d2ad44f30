"""Settings that hold for every test; the thread counts must stand before numpy is imported."""

import atexit
import contextlib
import os
import shutil
import tempfile
from dataclasses import replace

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

if "PROXYLAB_CACHE" not in os.environ:  # workers of xdist share the folder of their session
    _cache = tempfile.mkdtemp(prefix="proxylab-cache-")
    atexit.register(shutil.rmtree, _cache, ignore_errors=True)
    _installed = os.path.expanduser("~/.cache/proxylab/procgen-0.10.7")  # by `make test`
    if os.path.isdir(_installed):
        os.symlink(_installed, os.path.join(_cache, "procgen-0.10.7"))
    os.environ["PROXYLAB_CACHE"] = _cache
    _kernels = os.path.join(os.path.dirname(os.path.dirname(__file__)), "build", "numba", "tests")
    os.environ.setdefault("NUMBA_CACHE_DIR", _kernels)  # `make test` names a folder of its own

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "proxylab",
    deadline=None,  # the first example compiles
    derandomize=True,  # the same examples in every run
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("proxylab")


@pytest.fixture(scope="module")
def few_levels():
    """Training runs of a module are evaluated on 8 levels: how good they are is not tested there.

    Evaluation takes nine tenths of a short run otherwise. Holds in this process only.
    """
    from proxylab.tasks import TASKS
    from proxylab.training import callbacks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks, "SHIFTED_LEVELS", 8)
        for name, task in TASKS.items():
            few = dict.fromkeys(("check_levels", "final_eval_levels", "competence_levels"), 8)
            patch.setitem(TASKS, name, replace(task, **few))
        yield


@pytest.fixture
def few_trusted(monkeypatch):
    """A quarter of the shipped trusted agents: 7 reference and 19 calibration policies.

    With a hundred every detection takes four times as long; for tests of other things than power.
    Holds in this process only.
    """
    from proxylab.agents import references

    def quarter(task, pattern):
        entries = find(task, pattern)
        return entries[::4] if len(entries) >= 100 else entries

    find = references.find_entries
    monkeypatch.setattr(references, "find_entries", quarter)


def pytest_collection_modifyitems(items):
    """Skip tests marked ``gpu`` where there is no CUDA device; torch loads only if one is there."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if torch.cuda.is_available():
        return
    for item in marked:
        item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture
def interrupted(monkeypatch):
    """Context manager (steps): a training in it is stopped, as by Ctrl-C, after so many steps."""
    from proxylab.training.callbacks import TrainingCallback  # imports torch and SB3

    @contextlib.contextmanager
    def stopped(steps):
        start = TrainingCallback._on_rollout_start

        def stop(self):
            if self.num_timesteps >= steps and not self.interrupted:
                self.interrupted = True
            start(self)

        with monkeypatch.context() as patch:
            patch.setattr(TrainingCallback, "_on_rollout_start", stop)
            with pytest.raises(KeyboardInterrupt):
                yield

    return stopped
