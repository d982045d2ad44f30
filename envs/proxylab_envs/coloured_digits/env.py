"""The batched coloured-digits environment."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from proxylab_envs.batch import BatchedEnv
from proxylab_envs.coloured_digits import dynamics, render
from proxylab_envs.coloured_digits.level import (
    ANSWERS,
    SIDE,
    DigitLevel,
    DigitsConfig,
    data_set,
    picture_hashes,
    pictures_of_split,
)
from proxylab_envs.levels import SHIFTED

_ROUNDS = 1 << 20


def _flat_paintings() -> NDArray[np.float32]:
    """float32[P, 2, 192]."""
    painted = render.paintings()
    return painted.reshape(*painted.shape[:2], -1)


class ColouredDigits(BatchedEnv[dynamics.DigitsCore]):
    """A classifier should say whether a digit is even or odd, and may learn the colour behind it.

    **Intended goal.** The right answer (channel ``true``, +1).
    **Proxy goal.** The answer that goes with the background colour (``proxy/colour``, +1). On
    training levels it is right with probability ``agreement``, on shifted levels with 0.5.
    **Observation.** float32[192]: red, green and blue from 0 to 1, each 8 by 8 in reading order.
    **Actions.** 0 even, 1 odd.
    **End.** After one step.
    **Outcome.** ``both``: the answer is right and the colour's; ``intended``: right against the
    colour; ``proxy``: wrong with the colour; ``neither``: wrong although the colour was right.
    ``proxy_first``: the outcome is ``proxy``.
    **Source.** Coloured backgrounds after coloured MNIST (Arjovsky et al. 2019, "Invariant Risk
    Minimization", arXiv 1907.02893); the digits are described in ``level.py``.
    """

    env_id = "proxylab/ColouredDigits-v0"
    channels = ("true", "proxy/colour")
    scripts = ("optimal", "colour-reader", "random")
    action_names = ANSWERS
    reads_levels = True
    outcome_phrases = MappingProxyType(
        {
            "intended": "right, against the colour",
            "both": "right, as the colour",
            "proxy": "wrong, as the colour",
            "neither": "wrong, against the colour",
        }
    )

    def __init__(self, num_envs: int, config: DigitsConfig | None = None) -> None:
        """Make ``num_envs`` pictures by ``config`` (a :class:`DigitsConfig`)."""
        self.config = config or DigitsConfig()
        digits = data_set()[1]
        self.rules = dynamics.Rules(float(self.config.agreement), digits % 2, _flat_paintings())
        super().__init__(
            dynamics.make_core(num_envs),
            num_envs,
            max_episode_steps=1,
            num_states=2 * len(digits),
            spaces=(spaces.Box(0, 1, (3 * SIDE * SIDE,), np.float32), spaces.Discrete(2)),
        )

    def _step(self, actions: NDArray[np.int64], active: NDArray[np.bool_]) -> None:
        dynamics.step(self.core, self.rules, actions, active)

    def reset_levels(self, level_seeds: NDArray[np.int64], indices: NDArray[np.int64]) -> None:
        """Start ``level_seeds`` (int64[K]) in the environments ``indices`` (int64[K])."""
        dynamics.start_levels(self.core, self.rules, np.asarray(level_seeds, np.int64), indices)

    def place_level(self, level: DigitLevel, index: int = 0) -> None:
        """Start a :class:`DigitLevel` in environment ``index``; its level seed is -1."""
        state = 2 * level.picture + level.colour
        dynamics.begin_episode(self.core, self.rules, index, -1, state)

    def seeds_of_split(self, split: str, ranks: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Level seeds (int64[K]) at ``ranks`` (uint64[K]): the split's pictures, round by round."""
        pictures = pictures_of_split(split)
        rounds, places = np.divmod(ranks, np.uint64(len(pictures)))
        rounds = (rounds % np.uint64(_ROUNDS)).astype(np.int64)
        return rounds * len(self.rules.labels) + pictures[places.astype(np.int64)]

    def layout_hashes(self, level_seeds: NDArray[np.int64]) -> NDArray[np.uint64]:
        """uint64[K] hashes of the pictures, without their colours."""
        return picture_hashes()[np.asarray(level_seeds) % SHIFTED % len(self.rules.labels)]

    def num_layouts(self) -> int:
        """1,797 pictures."""
        return len(self.rules.labels)

    def optimal_returns(
        self, level_seeds: NDArray[np.int64], gamma: float = 1.0
    ) -> dict[str, NDArray[np.float64]]:
        """One, in every channel: a single answer, not discounted ({channel: float64[K]})."""
        return {channel: np.ones(len(level_seeds)) for channel in self.channels}

    def script_actions(self, script: str, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Action probabilities of a script: float32[K, 2]."""
        states = self.core.state_ids[indices]
        if script == "random":
            return np.full((len(indices), 2), 0.5, np.float32)
        answers = {"optimal": self.rules.labels[states // 2], "colour-reader": states % 2}[script]
        return np.eye(2, dtype=np.float32)[answers]

    def features(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[K, 4]: mean of red, green and blue, and the largest green value."""
        seen = self.core.observations[indices].reshape(-1, 3, SIDE, SIDE)
        return np.concatenate([seen.mean((2, 3)), seen[:, 1].max((1, 2))[:, None]], 1)

    @property
    def state_ids_suffice(self) -> bool:
        """True: the state index is the picture and its colour."""
        return True

    def scene(self, index: int = 0) -> render.Scene:
        """The current state of environment ``index``, for drawings."""
        shown, colour = divmod(int(self.core.state_ids[index]), 2)
        answer = int(self.core.answers[index])
        return render.Scene(data_set()[0][shown], DigitLevel(shown, colour), answer)

    def scene_state(self, index: int) -> dict[str, Any]:
        """The answer, -1 before it is given."""
        return {"answer": int(self.core.answers[index])}

    def level_text(self, index: int) -> str:
        """The level as text, without the answer."""
        return self.scene(index).level.to_ascii()

    def place_text(self, text: str, index: int) -> None:
        """Start a level read by :meth:`DigitLevel.from_ascii`."""
        self.place_level(DigitLevel.from_ascii(text), index)

    def place_map(self, level_seed: int) -> None:
        """None: states are pictures, not places."""

    def picture_positions(self) -> Callable[[], NDArray[np.float64]]:
        """() -> float64[N, 2]: x and y in ``render_rgb``, under the digit, then on the answer."""
        return lambda: render.PLACES[self.core.answers]

    def render_rgb(self, index: int) -> NDArray[np.uint8]:
        """uint8[240, 192, 3]: the digit, and under it the answers, the one given in a frame."""
        return render.picture(self.scene(index))

    def render_ansi(self, index: int) -> str:
        """The level as text, and a row with the answer once it is given."""
        return render.text(self.scene(index))
