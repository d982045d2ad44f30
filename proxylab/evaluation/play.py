"""Play one level with the keyboard, or watch an agent: frames on stderr, a result back."""

import contextlib
import sys
from dataclasses import asdict, dataclass
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import numpy as np

from proxylab.agents.loading import load_agent
from proxylab.errors import UsageError
from proxylab.evaluation.evaluate import splits_of, task_of
from proxylab.seeds import stream_seed
from proxylab.storage.limits import LIMITS, read_within
from proxylab.tasks import known_task
from proxylab_envs.channels import OUTCOMES
from proxylab_envs.levels import Levels

SCHEMA = "proxylab.evaluation.play/1"
ARROWS = {"A": 0, "B": 1, "C": 3, "D": 2}
"""Last letter of a terminal's arrow key: up, down, right, left."""
LETTERS = {"w": 0, "s": 1, "a": 2, "d": 3}
LEVEL_READERS = {
    "maze-corner": "proxylab_envs.maze_corner:MazeLevel.from_ascii",
    "boat-lagoon": "proxylab_envs.boat_lagoon.level:read_level",
    "tomato-watering": "proxylab_envs.tomato_watering:Garden.from_ascii",
}
"""What reads a level of a task from its text form: ``module:name``."""
QUIT = ("q", "")
"""``q``, or the end of the input."""


@dataclass(frozen=True)
class PlayResult:
    """How the episode went.

    Attributes:
        task: task name.
        level_seed: of the level; -1 for one of your own.
        steps: taken.
        outcome: ``intended``, ``proxy``, ``both``, ``neither``, or ``unfinished``.
        returns: {channel: undiscounted return}.
        actions: the actions taken.
    """

    task: str
    level_seed: int
    steps: int
    outcome: str
    returns: dict[str, float]
    actions: list[int]

    def as_json(self):
        """The object that ``play --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def play(task, split="shifted", seed=0, level=None, agent=None, keys=None, screen=None):
    """Play one episode.

    Args:
        task: task name.
        split: kind of level.
        seed: chooses the level, and the agent's draws.
        level: text file with a level, instead of a drawn one.
        agent: reference of an agent that plays; else the keys do.
        keys: characters; by default the terminal's, or stdin.
        screen: stream that frames are written to, stderr by default.

    Returns:
        :class:`PlayResult`.

    Raises:
        UsageError: unknown task, split or agent, or a file that holds no level.
    """
    env = known_task(task).make_env(1)
    start_level(env, task, split, seed, level)
    screen = screen or sys.stderr
    if agent is not None:
        return _episode(env, task, _agent_actions(env, task, agent, seed), screen)
    pressed = terminal_keys() if keys is None else (key for key in keys)
    with contextlib.closing(pressed):
        return _episode(env, task, _pressed_actions(env, pressed), screen)


def start_level(env, task, split, seed, path=None):
    """Start a level in the only environment of ``env``: from a text file, or by split and seed."""
    if path is not None:
        _place_from_file(env, task, Path(path))
        return
    (split,) = splits_of(task, split)
    chosen = stream_seed(seed, f"play {split}")
    env.reset_levels(env.sample_level_seeds(Levels(split), 1, chosen), np.array([0]))


def _place_from_file(env, task, path):
    """Read a level in its ASCII form and place it; ``UsageError`` says what is wrong with it."""
    reader = getattr(type(env), "read_level", None)
    if task not in LEVEL_READERS:
        raise UsageError(f"{task} does not take levels from files")
    module, name = LEVEL_READERS[task].split(":")
    reader = attrgetter(name)(import_module(module))
    raw = read_within(path, LIMITS.level_bytes)
    try:
        env.place_level(reader(raw.decode()), 0)
    except ValueError as error:
        raise UsageError(f"{path}: this is no level of {task}: {error}") from None


def _episode(env, task, actions, screen):
    """Step until the episode ends or the actions do, one frame a step."""
    taken = []
    print(env.render_ansi(0), file=screen)
    for action in actions:
        env.step(np.array([action]))
        taken.append(int(action))
        print(f"\n{env.render_ansi(0)}\n{_returns_line(env)}", file=screen)
        if env.done[0]:
            break
    outcome = OUTCOMES[env.core.outcomes[0]] if env.done[0] else "unfinished"
    return PlayResult(task, int(env.core.level_seeds[0]), len(taken), outcome, _returns(env), taken)


def _returns(env):
    return {name: float(env.core.returns[0, k]) for k, name in enumerate(env.channels)}


def _returns_line(env):
    return "   ".join(f"{name} {value:g}" for name, value in _returns(env).items())


def _agent_actions(env, task, reference, seed):
    """The actions of an agent, drawn as in an evaluation."""
    policy = load_agent(reference)
    task_of(policy, task)
    rng, index = np.random.default_rng(stream_seed(seed, "play actions")), np.array([0])
    while True:
        weights = policy.probabilities(env, index)[0].astype(float)
        yield rng.choice(len(weights), p=weights / weights.sum())


def _pressed_actions(env, keys):
    """The actions of keys, until one quits; keys that mean nothing are passed over."""
    for key in keys:
        if key in QUIT:
            return
        action = action_of(key, int(env.single_action_space.n))
        if action is not None:
            yield action


def action_of(key, num_actions):
    """The action of a key, or None: digits everywhere; w a s d and arrows where there are four."""
    if key.isdecimal() and int(key) < num_actions:
        return int(key)
    return (LETTERS | ARROWS).get(key) if num_actions == 4 else None


def terminal_keys(stream=None):
    """Keys as they are pressed, or the characters of a stream that is no terminal."""
    stream = stream or sys.stdin
    if not stream.isatty():
        yield from (letter for line in stream for letter in line.strip())
        return
    with _unbuffered(stream):
        while True:
            yield _key(stream)


def _key(stream):
    """One key; of an arrow's three characters the last."""
    letter = stream.read(1)
    return stream.read(2)[-1] if letter == "\x1b" else letter


@contextlib.contextmanager
def _unbuffered(stream):
    """A terminal that hands over every key at once; its old settings come back afterwards."""
    try:
        import termios  # Unix only
        import tty  # Unix only
    except ImportError:
        raise UsageError("playing needs a Unix terminal: send the keys through stdin") from None
    settings = termios.tcgetattr(stream)
    try:
        tty.setcbreak(stream)
        yield
    finally:
        termios.tcsetattr(stream, termios.TCSADRAIN, settings)
