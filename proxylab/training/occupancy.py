"""Training on a proxy reward at its worst, within a correlation with the intended one.

Let μ₀ be the occupancy of a reference policy over (observation, action), μ that of the policy in
training, w = μ/μ₀, χ² = E_μ[w] − 1, and R̃ the proxy reward, standardised under μ₀. Of all rewards
with mean 0 and variance 1 under μ₀ that correlate with R̃ at r there, the one that is worst for μ is

    R = r·R̃ − √(1 − r²) · (w − 1 − p·R̃) / √(χ² − p²),    p = E_μ[R̃],

and its mean under μ is r·p − √((1 − r²)(χ² − p²)), the bound of ``detection.certificate``.
``max-min`` pays it (Liu, Sun and Zheng 2026, arXiv 2604.12086). ``orpo`` pays the gradient of the
looser bound r·p − √((1 − r²)·χ²), the same with p = 0 in the second term (Laidlaw, Singhal and
Dragan 2024, arXiv 2403.03185). Both are paid divided by r and in units of the proxy reward, so
that r = 1 is the proxy reward itself, and without the mean of the second term, so that an early
end of an episode neither costs nor saves any.

w comes from a logistic discriminator of the steps of both policies, a network of the same kind as
the policy's. It is updated after every rollout, and with it χ² and p; rewards are paid by the
last state of the three. The reference acts once, before training, with a share of random actions.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import softplus

from proxylab.agents.references import load_stored
from proxylab.config import TrainConfig
from proxylab.errors import UsageError
from proxylab.networks.architectures import build_trunk
from proxylab.networks.channels_first import channels_first
from proxylab.rollouts.rollout import Policy, choose_actions
from proxylab.seeds import stream_seed
from proxylab.tasks import TASKS
from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels

RANDOM_SHARE = 0.1
"""Of the reference's actions, so that its occupancy covers what is near its own way."""
REFERENCE_STEPS = 65_536
REFERENCE_BYTES = 1 << 28
"""Largest size of its observations; fewer steps are kept of large ones."""

UPDATES = 8
"""Steps of the discriminator's optimiser after each rollout."""
BATCH = 512
"""Steps of either policy in an update."""
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-3
LARGEST_LOG_RATIO = 8.0
SMALLEST_CHI2 = 1e-2
"""The divergence is not taken to be less: where it is 0 its root has no gradient."""


class UndefinedCorrelation(UsageError):
    """The proxy reward of the reference policy never varies."""


class Shift(NamedTuple):
    """How the occupancy has moved from the reference's.

    Attributes:
        chi2: χ², at least 0.
        gain: p, the mean proxy reward in standard deviations of the reference's.
    """

    chi2: float
    gain: float


class Steps(NamedTuple):
    """Steps of a policy.

    Attributes:
        observations: [T, ...], images with channels first.
        actions: int64[T].
        rewards: float32[T], proxy reward, not scaled.
    """

    observations: NDArray[Any]
    actions: NDArray[np.int64]
    rewards: NDArray[np.float32]


def worst_penalty(
    ratio: NDArray[np.floating], proxy: NDArray[np.floating], shift: Shift, robust: bool
) -> NDArray[np.floating]:
    """What the worst reward takes off the proxy reward, per unit of √(1/r² − 1).

    Args:
        ratio: float[N], w.
        proxy: float[N], R̃.
        shift: χ² and p.
        robust: as in max-min, else as in ORPO.

    Returns:
        float[N] with mean 0 under μ, in standard deviations of the proxy reward.
    """
    gain = shift.gain if robust else 0.0
    left = max(shift.chi2 - gain**2, SMALLEST_CHI2)
    return (ratio - 1 - gain * proxy - left) / math.sqrt(left)


def reference_steps(config: TrainConfig, policy: Policy) -> Steps:
    """Steps of the reference on training levels, a share of them random."""
    env = TASKS[config.task].make_env(config.num_envs, **config.env)
    seed = stream_seed(config.seed, "reference occupancy")
    env.seed_levels(Levels("train"), seed)
    env.reset()
    size = env.observe()[0].nbytes * config.num_envs
    rounds = max(min(REFERENCE_STEPS // config.num_envs, REFERENCE_BYTES // size), 1)
    every, weights = np.arange(config.num_envs), env.weights(config.reward)
    seen, chosen, paid = [], [], []
    for step in range(rounds):
        likely = policy.probabilities(env, every)
        likely = (1 - RANDOM_SHARE) * likely + RANDOM_SHARE / likely.shape[1]
        actions = np.empty(config.num_envs, np.int64)
        choose_actions(np.uint64(seed), every, np.full_like(every, step), False, likely, actions)
        seen.append(channels_first(env.observe().copy()))
        chosen.append(actions)
        env.step(actions)
        paid.append(env.core.rewards @ weights)
        env.reset_done()
    return Steps(*(np.concatenate(parts) for parts in (seen, chosen, paid)))


class Discriminator:
    """A network that tells two policies' steps apart: log w of an observation and an action.

    Attributes:
        network: [K, ...] -> [K, number of actions].
        updates: number of updates so far; with the seed it determines the next batch.
    """

    def __init__(self, network: nn.Module, seed: int) -> None:
        """Wrap a new network; ``seed`` draws the batches."""
        self.network, self.seed, self.updates = network, seed, 0
        self.optimiser = torch.optim.AdamW(
            network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )

    def log_ratio(
        self, observations: NDArray[Any], actions: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """float64[K]: log w, within ± ``LARGEST_LOG_RATIO``."""
        with torch.inference_mode():
            values = self._outputs(observations, actions).double().numpy()
        return np.clip(values, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)

    def update(self, own: Steps, reference: Steps) -> None:
        """Some steps down the logistic loss, on random steps of both policies."""
        for _ in range(UPDATES):
            rng = np.random.default_rng([self.seed, self.updates])
            loss = torch.zeros(())
            for steps, sign in ((own, -1), (reference, 1)):
                rows = rng.integers(len(steps.actions), size=BATCH)
                values = self._outputs(steps.observations[rows], steps.actions[rows])
                loss = loss + softplus(sign * values).mean()
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.updates += 1

    def _outputs(self, observations: NDArray[Any], actions: NDArray[np.int64]) -> torch.Tensor:
        logits = self.network(torch.from_numpy(observations).float())
        return logits.gather(1, torch.from_numpy(actions)[:, None])[:, 0]

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """(name, live tensor) of the weights, and of Adam's moments once there are any."""
        names = {weight: name for name, weight in self.network.named_parameters()}
        for weight, name in names.items():
            yield name, weight.data
            for moment, value in self.optimiser.state.get(weight, {}).items():
                yield f"{name}.{moment}", value

    def restore(self, state: dict[str, NDArray[Any]], updates: int) -> None:
        """Put ``state`` (what :meth:`tensors` gave) and the number of updates in place."""
        for weight in self.network.parameters() if updates else ():
            moments = {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
            self.optimiser.state[weight] = {"step": torch.zeros(()), **moments}
        for name, tensor in self.tensors():
            tensor.copy_(torch.from_numpy(state[name]))
        self.updates = updates


@dataclass(frozen=True)
class Occupancy:
    """What the penalty needs, besides the environments.

    Attributes:
        robust: ``max-min``, else ``orpo``.
        correlation: r.
        reference: steps of the reference policy.
        discriminator: untrained.
        rollout: environment steps after which it is updated.
    """

    robust: bool
    correlation: float
    reference: Steps
    discriminator: Discriminator
    rollout: int


def occupancy_of(config: TrainConfig) -> Occupancy:
    """The :class:`Occupancy` of a configuration.

    Raises:
        UsageError: the reference is of another task, or its proxy reward never varies.
    """
    assert config.occupancy_to is not None
    kind, correlation = config.occupancy_bound
    policy = load_stored(config.occupancy_to)
    if policy.task != config.task:
        raise UsageError(f"occupancy_to: {policy.name} is made for {policy.task}")
    reference = reference_steps(config, policy)
    if not np.ptp(reference.rewards):
        raise UndefinedCorrelation(
            f"occupancy_to: the reward of {policy.name} never varies, so that nothing correlates "
            "with it: name another agent"
        )
    seed = stream_seed(config.seed, "discriminator")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**32)
        env = TASKS[config.task].make_env(1, **config.env)
        actions = int(getattr(env.single_action_space, "n", 0))
        shape = reference.observations.shape[1:]
        trunk = build_trunk(config.architecture, shape, **config.sizes)
        network = nn.Sequential(trunk, nn.Linear(trunk.num_features, actions))
    discriminator = Discriminator(network, seed)
    return Occupancy(kind == "max-min", correlation, reference, discriminator, config.ppo.n_steps)


class OccupancyVecEnv(BatchedVecEnv):
    """Environments that pay the worst reward that correlates with the proxy.

    Attributes:
        occupancy: what the penalty needs.
        shift: χ² and p after the last rollout; None before the first has ended.
    """

    def __init__(
        self,
        batched: BatchedEnv[Any],
        levels: Levels,
        reward: str = "true",
        seed: int = 0,
        scale: float = 1.0,
        *,
        occupancy: Occupancy,
    ) -> None:
        """As for ``BatchedVecEnv``; ``reward`` is the proxy."""
        super().__init__(batched, levels, reward, seed, scale)
        self.occupancy = occupancy
        self.shift: Shift | None = None
        paid = occupancy.reference.rewards
        self.mean, self.deviation = float(paid.mean()), float(paid.std())
        self._rollout: list[Steps] = []
        self._paid = np.zeros(batched.num_envs)

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Store ``actions`` (int[N]) and the observations on which they are taken."""
        super().step_async(actions)
        self._before = self._observe()

    def rewards(self) -> NDArray[np.float32]:
        """float32[N], of the step just taken; after the last one of a rollout all is updated."""
        proxy = self.batched.core.rewards @ (self.weights / np.float32(self.scale))
        steps = Steps(self._before, self._actions.copy(), proxy.astype(np.float32))
        paid = np.float32(self.scale) * (steps.rewards - self.penalties(steps))
        self._rollout.append(steps)
        if len(self._rollout) == self.occupancy.rollout:
            self._update()
        self._paid += paid
        return paid.astype(np.float32)

    def penalties(self, steps: Steps) -> NDArray[np.float32]:
        """float32[N], in units of the proxy reward; 0 before the end of the first rollout."""
        if self.shift is None:
            return np.zeros_like(steps.rewards)
        ratio = np.exp(self.occupancy.discriminator.log_ratio(steps.observations, steps.actions))
        standard = (steps.rewards - self.mean) / self.deviation
        weight = math.sqrt(1 / self.occupancy.correlation**2 - 1)
        taken = worst_penalty(ratio, standard, self.shift, self.occupancy.robust)
        return (self.deviation * weight * taken).astype(np.float32)

    def _update(self) -> None:
        """Train the discriminator on the rollout, and estimate χ² and p there."""
        own = Steps(*(np.concatenate(parts) for parts in zip(*self._rollout, strict=True)))
        self._rollout = []
        discriminator = self.occupancy.discriminator
        discriminator.update(own, self.occupancy.reference)
        ratio = np.exp(discriminator.log_ratio(own.observations, own.actions))
        gain = (float(own.rewards.mean()) - self.mean) / self.deviation
        self.shift = Shift(max(float(ratio.mean()) - 1, 0.0), gain)

    def episode_return(self, index: int) -> float:
        """What was paid for an episode that has ended."""
        total, self._paid[index] = self._paid[index], 0.0
        return float(total)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """The state of the environments and of the discriminator, between two rollouts."""
        own = dict(self.occupancy.discriminator.tensors())
        state = {f"discriminator.{name}": np.array(t.numpy()) for name, t in own.items()}
        state["discriminator"] = np.array([self.occupancy.discriminator.updates])
        state["shift"] = np.array(self.shift or (), np.float64)
        return super().snapshot() | state | {"paid": self._paid.copy()}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Restore a :meth:`snapshot`."""
        super().restore(state)
        own = {name.removeprefix("discriminator."): value for name, value in state.items()}
        self.occupancy.discriminator.restore(own, int(state["discriminator"][0]))
        self.shift = Shift(*state["shift"].tolist()) if len(state["shift"]) else None
        self._paid[...] = state["paid"]
