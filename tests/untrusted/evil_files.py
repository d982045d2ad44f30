"""All evil files and the command lines that meet them."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import evil_agents
import evil_configs
import evil_logs
import evil_runs
import evil_sb3
from sb3_models import make_model

from proxylab.tasks import TASKS


@dataclass(frozen=True)
class Evil:
    """One attempt.

    Attributes:
        name: what is evil about it.
        argv: command line of proxylab.
        code: exit code wanted: 2, or 0 where the evil part is never opened.
    """

    name: str
    argv: list
    code: int = 2


def make_all(folder):
    """list[Evil], and the file that no payload may make; files are written into ``folder``."""
    canary = folder / "canary"
    payload = pickle.dumps(evil_sb3.Touch(canary))
    made = [*sb3(folder, canary), *agents(folder, payload), *others(folder, payload)]
    made += [*configs(folder, canary), *runs(folder)]
    return [*made, *onnx(folder, payload)], canary


def sound_zip(folder):
    path = Path(folder) / "sound-model.zip"
    make_model("maze-corner", policy_kwargs={"net_arch": [8]}).save(path)
    return path


def sb3(folder, canary):
    zips = evil_sb3.Zips(sound_zip(folder), folder, canary)
    for group, code in ((evil_sb3.harmless(zips), 0), (evil_sb3.refused(zips), 2)):
        for name, path in group.items():
            out = folder / "out" / path.stem
            argv = ["import-sb3", path, "--task", "maze-corner", "--out", out, "--json"]
            yield Evil(f"zip: {name}", list(map(str, argv)), code)
            if code:  # the same refusal where a zip is named in place of an agent
                argv = ["detect", str(path), "--task", "maze-corner", "--trusted"]
                yield Evil(f"zip in detect: {name}", [*argv, "zoo:maze-corner/trusted-00"])


def agents(folder, payload):
    for name, path in evil_agents.agents(folder, payload).items():
        yield Evil(f"agent: {name}", ["evaluate", str(path), "--episodes", "4"])


def others(folder, payload):
    for name, task, path in evil_agents.levels(folder, payload):
        yield Evil(f"level: {name}", ["play", task, "--level", str(path)])
    for name, path in evil_agents.configs(folder, payload).items():
        argv = ["train", "maze-corner", "--config", str(path), "--dry-run"]
        yield Evil(f"config: {name}", argv)
    for name, path in evil_logs.logs(folder, payload).items():
        argv = ["detect", str(path), "--task", "maze-corner", "--episodes", "4"]
        yield Evil(f"log: {name}", argv)


def configs(folder, canary):
    for name, path in evil_configs.configs(folder, canary).items():
        argv = ["train", "maze-corner", "--config", str(path), "--dry-run"]
        yield Evil(f"config: {name}", argv)


def runs(folder):
    config = TASKS["maze-corner"].train_config("proxy").as_json()
    for name, path in evil_runs.runs(folder / "runs", config).items():
        yield Evil(f"run: {name}", ["train", "maze-corner", "--out", str(path)])


def onnx(folder, payload):
    try:
        import evil_onnx
    except ImportError:
        return
    for name, path in evil_onnx.models(folder, payload).items():
        argv = ["evaluate", str(path), "--task", "maze-corner", "--episodes", "4"]
        yield Evil(f"onnx: {name}", argv)
