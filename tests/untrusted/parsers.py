"""Every parser of files that a stranger may hand over: a sound file, and how it is read.

Both fuzzers use this table: test_fuzz.py with hypothesis, fuzz_parsers.py with atheris.
"""

import json
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import save as serialise

from proxylab.agents.format import AgentSpec, read_agent, save_agent, weights_sha256
from proxylab.agents.loading import policy_of
from proxylab.errors import UsageError
from proxylab.logs import read_log, write_log
from proxylab.logs.live import EpisodeReader, Tail
from proxylab.logs.rows import RecordedEpisodes
from proxylab.training.plan import OPTIONS as FIELDS
from proxylab.training.plan import plan
from proxylab.untrusted.confined import Refusal

COMPLAINTS = (UsageError, Refusal)
"""What a parser may raise: a line for people."""

OPTIONS = (*FIELDS, "ppo")
"""What a configuration file may set."""

SIZES = {"width": 2, "depth": 1}
SPEC = AgentSpec("fred", "maze-corner", "proxy", "towers", SIZES, (3, 9, 9), "uint8", 4)

MAZE = "#####\n#m.c#\n#.#.#\n#...#\n#####"
TOML = """
levels = "mix:0.5"
total_timesteps = 1000
num_envs = 8
threads = 1
architecture = "towers"
sizes = {width = 8, depth = 1}
env = {size = 9}
ppo = {learning_rate = 1e-3, n_steps = 8}
"""


@dataclass(frozen=True)
class Parser:
    """A sound file (bytes) and the function that reads bytes like it."""

    sound: bytes
    read: object


def by_file(ending, read):
    """``read(path)`` as a function of bytes."""

    def read_bytes(raw):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"file{ending}"
            path.write_bytes(raw)
            return read(path)

    return read_bytes


def weights():
    rng = np.random.default_rng(0)
    shapes = {"trunk.towers.0.0.weight": (2, 243), "trunk.towers.0.0.bias": (2,)}
    shapes |= {name.replace("s.0.", "s.1.", 1): shape for name, shape in shapes.items()}
    shapes |= {"policy_head.weight": (4, 4), "policy_head.bias": (4,)}
    shapes |= {"value_head.weight": (1, 4), "value_head.bias": (1,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def load(folder):
    spec, found, _ = read_agent(folder)
    return policy_of(spec, found)


def read_json_beside_weights(raw):
    with tempfile.TemporaryDirectory() as folder:
        save_agent(folder, SPEC, weights())
        (Path(folder) / "agent.json").write_bytes(raw)
        return load(folder)


def read_weights_beside_json(raw):
    """Weights whose sha256 is right whenever they can be read at all."""
    from safetensors.numpy import load as parse

    with tempfile.TemporaryDirectory() as folder:
        save_agent(folder, SPEC, weights())
        (Path(folder) / "agent.safetensors").write_bytes(raw)
        try:
            digest = weights_sha256(parse(raw))
        except Exception:
            digest = ""
        record = json.loads((Path(folder) / "agent.json").read_text()) | {"sha256": digest}
        (Path(folder) / "agent.json").write_text(json.dumps(record))
        return load(folder)


def agent_json():
    with tempfile.TemporaryDirectory() as folder:
        save_agent(folder, SPEC, weights())
        return (Path(folder) / "agent.json").read_bytes()


def level_of(task):
    """Reader of level files of a task, as ``proxylab play --level`` has it."""
    from proxylab.evaluation.play import start_level
    from proxylab.tasks import TASKS

    env = TASKS[task].make_env(1)
    return by_file(".txt", lambda path: start_level(env, task, "train", 0, path))


def level_text(task):
    from proxylab.tasks import TASKS
    from proxylab_envs.boat_lagoon.level import write_level
    from proxylab_envs.levels import Levels

    env = TASKS[task].make_env(1)
    env.reset_levels(env.sample_level_seeds(Levels("train"), 1, 0), np.array([0]))
    level = env.garden(0) if task == "tomato-watering" else env.level(0)
    return (write_level(level) if task == "boat-lagoon" else level.to_ascii()).encode()


def course(raw):
    from proxylab_envs.boat_race.level import Course

    try:
        return Course.from_ascii(raw.decode("latin-1"))
    except ValueError as error:
        raise UsageError(str(error)) from None


def config(raw):
    return by_file(".toml", lambda path: plan("maze-corner", file=path))(raw)


def episodes():
    rng = np.random.default_rng(1)
    offsets = np.array([0, 3, 5, 9])
    return RecordedEpisodes(
        task="maze-corner",
        policy="fred",
        num_states=60,
        num_actions=4,
        episode_offsets=offsets,
        state_id=rng.integers(0, 60, 9),
        features=rng.normal(size=(9, 2)).astype(np.float32),
        action=rng.integers(0, 4, 9),
        probabilities=np.full((9, 4), 0.25, np.float32),
        proxy_reward=rng.normal(size=9).astype(np.float32),
        level_seed=np.array([5, 6, 7]),
        terminated=np.array([True, False, True]),
        truncated=np.array([False, True, False]),
    )


def log_bytes(ending):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"log{ending}"
        write_log(path, [episodes()])
        return path.read_bytes()


STEP_LINES = b"".join(
    json.dumps({"level_seed": 3, "episode": 0, "step": k, "action": k % 4}).encode() + b"\n"
    for k in range(5)
)


def live(path):
    facts = {"task": "maze-corner", "policy": "fred", "num_states": 60, "num_actions": 4}
    return EpisodeReader(str(path), **facts).take(Tail(path).records(at_end=True), at_end=True)


def sb3_zip():
    import io
    import zipfile

    import torch

    state = {
        "mlp_extractor.policy_net.0.weight": torch.ones(2, 3),
        "action_net.bias": torch.ones(2),
    }
    pth, out = io.BytesIO(), io.BytesIO()
    torch.save(state, pth)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", json.dumps({"policy_kwargs": {}, "action_space": {"start": "0"}}))
        archive.writestr("policy.pth", pth.getvalue())
        archive.writestr("_stable_baselines3_version", "2.9.2")
    return out.getvalue()


def sb3(path):
    from proxylab.untrusted.sb3_tensors import tensors_of

    return tensors_of(path)


def onnx_model():
    from onnx_models import linear

    return linear(6, 2)[0]


def onnx(raw):
    from proxylab.untrusted.onnx_model import check_model

    return check_model(raw)


MAKERS = {
    "agent.json": lambda: Parser(agent_json(), read_json_beside_weights),
    "agent.safetensors": lambda: Parser(serialise(weights()), read_weights_beside_json),
    "level maze-corner": lambda: Parser(level_text("maze-corner"), level_of("maze-corner")),
    "level boat-lagoon": lambda: Parser(level_text("boat-lagoon"), level_of("boat-lagoon")),
    "level tomato": lambda: Parser(level_text("tomato-watering"), level_of("tomato-watering")),
    "level boat-race": lambda: Parser(b"#####\n#B>.#\n#^#v#\n#.<.#\n#####", course),
    "config": lambda: Parser(TOML.encode(), config),
    "log.jsonl": lambda: Parser(log_bytes(".jsonl"), by_file(".jsonl", read_log)),
    "steps.jsonl": lambda: Parser(STEP_LINES, by_file(".jsonl", read_log)),
    "live log": lambda: Parser(log_bytes(".jsonl"), by_file(".jsonl", live)),
    "log.csv": lambda: Parser(log_bytes(".csv"), by_file(".csv", read_log)),
    "log.parquet": lambda: Parser(log_bytes(".parquet"), by_file(".parquet", read_log)),
    "log.hdf5": lambda: Parser(log_bytes(".hdf5"), by_file(".hdf5", read_log)),
    "zip": lambda: Parser(sb3_zip(), by_file(".zip", sb3)),
    "onnx": lambda: Parser(onnx_model(), onnx),
}
"""name: function that makes the :class:`Parser`."""


@cache
def parser(name):
    """The :class:`Parser` of a name, made once."""
    return MAKERS[name]()


def attempt(name, raw):
    """Read ``raw``; the complaint in one line, or None. Anything else that is raised gets out."""
    try:
        parser(name).read(raw)
    except COMPLAINTS as error:
        line = str(error)
        assert line.strip()
        return line
    return None
