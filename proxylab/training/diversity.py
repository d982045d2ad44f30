"""Two heads that agree on the demonstrations and disagree elsewhere; few labels choose one.

Lee, Yao, Finn 2022, "Diversify and Disambiguate: Learning From Underspecified Data"
(DivDis, arXiv 2202.03418). Both heads of one network learn the demonstrations, and are made to
disagree on unlabelled observations of other levels: state by state, as in DivDis, by the mutual
information of their predictions, or level by level. The mean prediction of each head can be kept
near the shares of the labels. A few further demonstrations then choose the head.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from proxylab.agents.loading import LearnedPolicy
from proxylab.networks.channels_first import channels_first
from proxylab.rollouts.rollout import rollout
from proxylab.training.cloning import BehaviourCloning
from proxylab.training.demonstrations import Demonstrations, Expert, Labelled
from proxylab.training.sb3_policy import agent_weights
from proxylab_envs.batch import BatchedEnv

HEADS = 2
TINY = 1e-12
"""Least probability whose logarithm is taken."""


def mutual_information(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Mutual information of the predictions of two heads over a batch, in nats.

    KL of the mean outer product from the outer product of the means (DivDis, section 3.2): 0
    where the predictions of one head tell nothing about those of the other.

    Args:
        first: float[..., A], probabilities; the other axes are the batch.
        second: float[..., A], those of the other head for the same observations.
    """
    first, second = first.flatten(0, -2), second.flatten(0, -2)
    joint = first.T @ second / len(first)
    apart = first.mean(0)[:, None] * second.mean(0)
    return (joint * (joint.clamp(TINY).log() - apart.clamp(TINY).log())).sum()


def level_agreement(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Mean over levels of −log(1 − probability that both heads act alike in all S states).

    One state in which the heads differ is enough for a level, so that they may go the same way
    where the ways to two goals coincide. With S = 1 it is the term of Pagliardini et al. 2022,
    "Agree to Disagree" (D-BAT, arXiv 2202.04414), for more than two classes.

    Args:
        first: float[G, S, A], probabilities in S states of G levels.
        second: float[G, S, A], those of the other head.
    """
    alike = (first * second).sum(2).clamp(TINY).log().sum(1).exp()
    return -(1 - alike).clamp(TINY).log().mean()


def divergence_from(shares: torch.Tensor, predictions: torch.Tensor) -> torch.Tensor:
    """KL of the mean prediction of a head (float[..., A]) from ``shares`` (float[A]), in nats."""
    mean = predictions.flatten(0, -2).mean(0).clamp(TINY)
    return (mean * (mean.log() - shares.clamp(TINY).log())).sum()


DISAGREEMENTS = {"states": mutual_information, "levels": level_agreement}
"""{over what the heads shall disagree: the term that is made small}."""


class Diversity(NamedTuple):
    """How two heads are made to disagree.

    Attributes:
        over: a name of :data:`DISAGREEMENTS`.
        weight: of its term; 0 clones twice.
        balance: weight of :func:`divergence_from` the shares of the labels, of each head.
        stretch: S, successive observations of an unlabelled environment that are taken together;
            of one level, but where its episode ends between them.
    """

    over: str
    weight: float
    balance: float
    stretch: int


class TwoHeadedCloning(BehaviourCloning):
    """Behaviour cloning with a second policy head on the same trunk.

    Attributes:
        second: the second head.
        visited: [n_steps, N, ...], unlabelled observations of the present rollout.
    """

    def __init__(
        self,
        *args: Any,
        elsewhere: BatchedEnv[Any],
        visitor: Demonstrations,
        diversity: Diversity,
        **options: Any,
    ) -> None:
        """Make the algorithm.

        Args:
            args: of :class:`BehaviourCloning`.
            elsewhere: environments with the unlabelled levels, as many as are cloned in.
            visitor: acts there; its labels are not used.
            diversity: how the heads are made to disagree.
            options: of :class:`BehaviourCloning`.
        """
        super().__init__(*args, **options)
        self.elsewhere, self.visitor, self.diversity = elsewhere, visitor, diversity
        first: Any = self.policy.action_net
        self.second = nn.Linear(first.in_features, first.out_features).to(self.device)
        self.policy.add_module("second_net", self.second)  # its gradients are clipped with all
        self.policy.optimizer.add_param_group({"params": self.second.parameters()})

    def collect_rollouts(
        self, env: Any, callback: Any, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """Take as many unlabelled observations as demonstrations."""
        if self.diversity.weight:
            drawn = [self.visitor.draw(self.elsewhere, 0)[0] for _ in range(n_rollout_steps)]
            self.visited = torch.from_numpy(np.stack(drawn))
        return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)

    def _loss(self, observations: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of the heads, and the disagreement on as many other observations."""
        count, (over, weight, balance, stretch) = len(labels), self.diversity
        if weight:
            elsewhere = self._stretches(count // stretch).to(self.device)
            observations = torch.cat([observations, elsewhere])
        features = self.policy.extract_features(observations)
        logits = torch.stack([self.policy.action_net(features), self.second(features)])
        loss = F.cross_entropy(logits[:, :count].flatten(0, 1), labels.repeat(HEADS))
        if not weight:
            return loss
        first, second = F.softmax(logits[:, count:], dim=2).unflatten(1, (-1, stretch))
        shares = torch.bincount(labels, minlength=logits.shape[2]) / count
        kept = divergence_from(shares, first) + divergence_from(shares, second)
        return loss + weight * DISAGREEMENTS[over](first, second) + balance * kept / HEADS

    def _stretches(self, count: int) -> torch.Tensor:
        """[count · S, ...] unlabelled observations, S successive ones of an environment each."""
        steps, num_envs = self.visited.shape[:2]
        stretch = self.diversity.stretch
        starts = torch.randint(steps - stretch + 1, (count, 1))
        envs = torch.randint(num_envs, (count, 1)).expand(-1, stretch)
        return self.visited[starts + torch.arange(stretch), envs].flatten(0, 1)

    def heads(self) -> list[dict[str, NDArray[np.float32]]]:
        """The weights of both heads, each with the trunk, as those of two ordinary agents."""
        own = agent_weights(self.policy)
        second = self.second.state_dict()
        renamed = {f"policy_head.{name}": t.cpu().numpy().copy() for name, t in second.items()}
        return [own, own | renamed]


class WithLabels:
    """Demonstrations of which a share is replaced by states of a few demonstrated levels."""

    def __init__(self, demonstrations: Demonstrations, labelled: Labelled, share: float) -> None:
        """Replace a ``share`` of ``demonstrations`` by draws from ``labelled``."""
        self.demonstrations, self.labelled, self.share = demonstrations, labelled, share

    def draw(self, env: BatchedEnv[Any], start: int) -> Labelled:
        """One demonstration for each environment; torch's generator chooses the replaced ones."""
        observations, actions = self.demonstrations.draw(env, start)
        replaced = torch.rand(len(actions)).numpy() < self.share
        rows = torch.randint(len(self.labelled[1]), (int(replaced.sum()),)).numpy()
        observations[replaced], actions[replaced] = (part[rows] for part in self.labelled)
        return observations, actions


class _Demonstrator:
    """An expert that remembers what it saw and did."""

    def __init__(self, expert: Expert, task: str) -> None:
        self.expert, self.name, self.task = expert, "demonstrator", task
        self.seen: list[tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]] = []

    def probabilities(
        self, env: BatchedEnv[Any], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """float32[K, num_actions] of the expert's first most probable action."""
        own = self.expert.probabilities(env, indices)
        actions = own.argmax(axis=1)
        observations = channels_first(env.observe()[indices].copy())
        self.seen.append((observations, actions, indices.copy()))
        return np.eye(own.shape[1], dtype=np.float32)[actions]


def demonstrate(
    expert: Expert, env: BatchedEnv[Any], level_seeds: NDArray[np.int64], task: str
) -> list[Labelled]:
    """The expert's observations and actions in one episode of each level.

    Args:
        expert: takes its most probable actions.
        env: environments, as many as there are levels.
        level_seeds: int64[K].
        task: name of the task.

    Returns:
        For each level (observations [T, ...] with channels first, int64[T] actions).
    """
    watched = _Demonstrator(expert, task)
    rollout(watched, env, level_seeds, task=task, seed=0)
    observations, actions, levels = (np.concatenate(c) for c in zip(*watched.seen, strict=True))
    return [(observations[levels == k], actions[levels == k]) for k in range(len(level_seeds))]


def joined(shown: Sequence[Labelled]) -> Labelled:
    """The states of several demonstrations as one."""
    observations, actions = zip(*shown, strict=True)
    return np.concatenate(observations), np.concatenate(actions)


def log_likelihood(policy: LearnedPolicy, labelled: Labelled) -> float:
    """Mean log-probability, over states, of the demonstrated actions, in nats."""
    observations, actions = labelled
    own = policy.action_probabilities(observations)[np.arange(len(actions)), actions]
    return float(np.log(np.maximum(own.astype(np.float64), TINY)).mean())
