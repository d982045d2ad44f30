"""Play one level with the keyboard, or watch an agent; frames go to stderr."""

import contextlib
import sys
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.references import load_agent
from proxylab.environments.resolve import make_environment, task_in_environment
from proxylab.errors import UsageError
from proxylab.evaluation.evaluate import splits_of, task_of
from proxylab.evaluation.play_log import PlayLog
from proxylab.evaluation.play_screen import play_screen
from proxylab.rollouts.rollout import Policy
from proxylab.seeds import stream_seed
from proxylab.storage.limits import LIMITS, read_within
from proxylab.tasks import known_task
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.channels import OUTCOMES
from proxylab_envs.levels import Levels

SCHEMA = "proxylab.play/1"
ARROWS = {"A": 0, "B": 1, "C": 3, "D": 2}
"""{last letter of a terminal's arrow key: action}: up, down, right, left."""
LETTERS = {"w": 0, "s": 1, "a": 2, "d": 3}
QUIT = ("q", "")
"""``q``, or the end of the input."""


@dataclass(frozen=True)
class PlayResult:
    """The result of an episode.

    Attributes:
        task: task name.
        level_seed: of the level; -1 for one from a file.
        steps: number of steps.
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

    def as_json(self) -> dict[str, Any]:
        """The object that ``play --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def play(
    task: str | None = None,
    split: str | None = None,
    seed: int = 0,
    level: str | Path | None = None,
    agent: str | None = None,
    keys: Iterable[str] | None = None,
    screen: IO[str] | None = None,
    record: str | Path | None = None,
    env: str | None = None,
) -> PlayResult:
    """Play one episode.

    Args:
        task: task name; not needed with ``env``.
        split: split to draw the level from; by default ``shifted`` where the task has it.
        seed: of the level and the agent's action draws.
        level: text file with a level, used instead of a drawn one.
        agent: reference of the agent that acts; by default the keyboard does.
        keys: key characters; by default those of the terminal, or stdin.
        screen: stream for the frames, stderr by default.
        record: log to which the episode is added; it is made where it does not exist.
        env: an environment other than that of the task, see
            :func:`proxylab.environments.resolve.make_environment`.

    Returns:
        :class:`PlayResult`.

    Raises:
        UsageError: unknown task, split or agent, an invalid level file, or a file that the
            episode cannot be added to.
    """
    if record is not None and level is not None:
        raise UsageError("a level from a file has no level seed: --record takes drawn levels only")
    task = task_in_environment(task, env)
    if task is None:
        raise UsageError("play what? name a task, or say --env")
    batched = make_environment(known_task(task).name, 1, env)
    shifted = "shifted" in batched.splits
    split = split or ("shifted" if shifted else batched.splits[0])
    start_level(batched, task, split, seed, level)
    screen = screen or sys.stderr
    if agent is not None:
        policy = load_agent(agent)
        task_of(policy, task)
        names = (policy.name, getattr(policy, "sha256", ""))
        log = PlayLog(record, task, *names) if record is not None else None
        return _episode(batched, task, _agent_actions(batched, policy, seed), screen, log)
    log = PlayLog(record, task) if record is not None else None
    pressed = terminal_keys() if keys is None else (key for key in keys)
    with contextlib.closing(pressed):
        return _episode(batched, task, _pressed_actions(batched, pressed), screen, log)


def start_level(
    env: BatchedEnv, task: str, split: str, seed: int, path: str | Path | None = None
) -> None:
    """Start a level in the first environment of ``env``: from a file, or by split and seed."""
    if path is not None:
        _place_from_file(env, task, Path(path))
        return
    (split,) = splits_of(task, split)
    chosen = stream_seed(seed, f"play {split}")
    env.reset_levels(env.sample_level_seeds(Levels(split), 1, chosen), np.array([0]))


def _place_from_file(env: BatchedEnv, task: str, path: Path) -> None:
    """Read a level in its ASCII form and start it; ``UsageError`` names what is invalid."""
    if not env.reads_levels:
        raise UsageError(f"{task} does not take levels from files")
    raw = read_within(path, LIMITS.level_bytes)
    try:
        env.place_text(raw.decode(), 0)
    except ValueError as error:
        raise UsageError(f"{path}: this is no level of {task}: {error}") from None


Move = tuple[int, NDArray[np.float32] | None]
"""(action, action probabilities of the agent; None where a person plays)."""


def _episode(
    env: BatchedEnv, task: str, moves: Iterable[Move], screen: IO[str], log: PlayLog | None
) -> PlayResult:
    """Step until the episode or the moves end, printing one frame per step."""
    taken: list[int] = []
    with play_screen(screen, _keys_line(env)) as show:
        show(env.render_ansi(0))
        for action, probabilities in moves:
            if log is not None:
                log.before(env, action, probabilities)
            env.step(np.array([action]))
            if log is not None:
                log.after(env)
            taken.append(int(action))
            show(f"\n{env.render_ansi(0)}\n{_returns_line(env)}")
            if env.done[0]:
                break
    if log is not None:
        log.write(env)
    outcome = OUTCOMES[env.core.outcomes[0]] if env.done[0] else "unfinished"
    return PlayResult(task, int(env.core.level_seeds[0]), len(taken), outcome, _returns(env), taken)


def _keys_line(env: BatchedEnv) -> str:
    """The keys of an environment, in words."""
    names = [f"{key} {name}" for key, name in enumerate(env.action_names)]
    moves = "arrows or w a s d, " if len(names) == 4 else ""
    return f"{moves}{', '.join(names)}; q quits"


def _returns(env: BatchedEnv) -> dict[str, float]:
    return {name: float(env.core.returns[0, k]) for k, name in enumerate(env.channels)}


def _returns_line(env: BatchedEnv) -> str:
    return "   ".join(f"{name} {value:g}" for name, value in _returns(env).items())


def _agent_actions(env: BatchedEnv, policy: Policy, seed: int) -> Iterator[Move]:
    """Actions drawn from an agent's probabilities."""
    rng, index = np.random.default_rng(stream_seed(seed, "play actions")), np.array([0])
    while True:
        given = policy.probabilities(env, index)[0]
        weights = given.astype(float)
        yield int(rng.choice(len(weights), p=weights / weights.sum())), given


def _pressed_actions(env: BatchedEnv, keys: Iterable[str]) -> Iterator[Move]:
    """The actions of keys up to a key that quits; unassigned keys are skipped."""
    for key in keys:
        if key in QUIT:
            return
        action = action_of(key, int(env.single_action_space.n))
        if action is not None:
            yield action, None


def action_of(key: str, num_actions: int) -> int | None:
    """The action of a key, or None: digits; with four actions also w a s d and arrows."""
    if key.isdecimal() and int(key) < num_actions:
        return int(key)
    return (LETTERS | ARROWS).get(key) if num_actions == 4 else None


def terminal_keys(stream: IO[str] | None = None) -> Generator[str, None, None]:
    """Keys as they are pressed, or the characters of a stream that is not a terminal."""
    stream = stream or sys.stdin
    if not stream.isatty():
        yield from (letter for line in stream for letter in line.strip())
        return
    with _unbuffered(stream):
        while True:
            yield _key(stream)


def _key(stream: IO[str]) -> str:
    """One key; for an arrow key, the last of its three characters."""
    letter = stream.read(1)
    return stream.read(2)[-1] if letter == "\x1b" else letter


@contextlib.contextmanager
def _unbuffered(stream: IO[str]) -> Generator[None, None, None]:
    """Switch a terminal to unbuffered input; its settings are restored on exit."""
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
