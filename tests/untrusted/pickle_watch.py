"""Sees whether anything opens a pickle: while it runs, and in the source."""

import ast
import pickle
import sys
from contextlib import contextmanager

import pytest

_SEEN: list[list[str]] = []


def _hook(event, arguments):
    if _SEEN and event == "pickle.find_class":
        _SEEN[-1].append(f"{event} {arguments[0]}.{arguments[1]}")


sys.addaudithook(_hook)  # cannot be taken away again: it only looks while somebody watches


@contextmanager
def watched():
    """What is unpickled within, a line each: global names that are looked up, and loaders called.

    The audit event comes from every unpickler, in C and in Python, but only for pickles that
    name a class or a function; so the loaders of the ``pickle`` module are watched too.
    """
    seen: list[str] = []
    _SEEN.append(seen)

    def noted(name, call):
        def loading(*arguments, **options):
            seen.append(f"pickle.{name}")
            return call(*arguments, **options)

        return loading

    class Unpickler(pickle.Unpickler):
        def load(self):
            seen.append("pickle.Unpickler")
            return super().load()

    with pytest.MonkeyPatch.context() as patch:
        for name in ("load", "loads"):
            patch.setattr(pickle, name, noted(name, getattr(pickle, name)))
        patch.setattr(pickle, "Unpickler", Unpickler)
        try:
            yield seen
        finally:
            _SEEN.remove(seen)


MODULES = {
    *("pickle", "_pickle", "cPickle", "pickletools", "cloudpickle", "dill", "joblib"),
    *("shelve", "marshal", "jsonpickle", "torch.serialization"),
}
"""Modules that no reader of files needs."""

LOADERS = {
    *("read_pickle", "load_from_zip_file", "load_from_pkl", "load_replay_buffer", "set_parameters"),
    *("load_from_checkpoint", "jit_load"),
}
"""Functions and methods that unpickle what they read."""

SAFE = {"np.load": ("allow_pickle", False), "torch.load": ("weights_only", True)}
"""Calls that are sound with this option spelled out."""

SB3_CLASSES = {"PPO", "A2C", "DQN", "SAC", "TD3", "BaseAlgorithm", "VecNormalize"}


def opened_in(source):
    """Places of a source that open a pickle, or may: list of "line: what"."""
    return [
        f"{node.lineno}: {what}" for node in ast.walk(ast.parse(source)) for what in _opening(node)
    ]


def _opening(node):
    if isinstance(node, ast.Import):
        return [a.name for a in node.names if _is_pickling(a.name)]
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{a.name}" for a in node.names]
        banned = _is_pickling(node.module or "")
        return [n for n in names if banned or _is_pickling(n) or n.split(".")[-1] in LOADERS]
    if isinstance(node, ast.Call):
        return _called(node)
    return []


def _is_pickling(module):
    return module in MODULES or module.split(".")[0] in MODULES


def _called(node):
    name = ast.unparse(node.func).replace("numpy.load", "np.load")
    if name in SAFE:
        option, value = SAFE[name]
        given = {k.arg: k.value for k in node.keywords}
        said = given.get(option)
        sound = isinstance(said, ast.Constant) and said.value is value
        return [] if sound and None not in given else [f"{name} without {option}={value}"]
    last = name.split(".")[-1]
    dynamic = name in ("import_module", "importlib.import_module", "__import__") and node.args
    if dynamic and isinstance(node.args[0], ast.Constant) and _is_pickling(str(node.args[0].value)):
        return [f"{name}({node.args[0].value!r})"]
    if last in LOADERS or (
        last == "load" and name.split(".")[-2:-1] and name.split(".")[-2] in SB3_CLASSES
    ):
        return [name]
    allows = [
        k for k in node.keywords if k.arg == "allow_pickle" and ast.unparse(k.value) != "False"
    ]
    return [f"{name} allows pickles"] if allows else []
