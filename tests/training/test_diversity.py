"""Two heads: the losses against plain NumPy, heads apart with a weight and alike without one."""

import functools

import numpy as np
import pytest
import torch

from proxylab.agents.format import save_agent
from proxylab.agents.loading import LearnedPolicy
from proxylab.agents.references import load_agent
from proxylab.agents.scripted import ScriptedPolicy, UniformPolicy
from proxylab.config import PPOConfig
from proxylab.evaluation.evaluate import evaluate
from proxylab.tasks import TASKS
from proxylab.training.cloning import BehaviourCloning
from proxylab.training.demonstrations import ActingExpert
from proxylab.training.diversity import (
    Diversity,
    TwoHeadedCloning,
    WithLabels,
    demonstrate,
    divergence_from,
    joined,
    level_agreement,
    log_likelihood,
    mutual_information,
)
from proxylab.training.saving import agent_spec
from proxylab.training.train import make_config, make_model
from proxylab_envs.levels import SHIFTED, Levels

TASK = "maze-corner"
SMALL = {
    "algorithm": "bc",
    "total_timesteps": 12_288,
    "num_envs": 32,
    "architecture": "value-iteration",
    "sizes": {"channels": 8, "width": 32},
    "ppo": PPOConfig(learning_rate=2e-2, n_steps=64, batch_size=128, n_epochs=1),
}


def predictions(seed, count=50, actions=4):
    """Two arrays float64[count, actions] of rows that sum to 1."""
    return np.random.default_rng(seed).dirichlet(np.full(actions, 0.5), (2, count))


def test_mutual_information_is_that_of_a_table():
    first, second = predictions(0)
    table = np.zeros((4, 4))
    for p, q in zip(first, second, strict=True):
        for a in range(4):
            for b in range(4):
                table[a, b] += p[a] * q[b] / len(first)
    rows, columns = table.sum(1), table.sum(0)
    expected = sum(
        table[a, b] * np.log(table[a, b] / (rows[a] * columns[b]))
        for a in range(4)
        for b in range(4)
    )
    found = mutual_information(torch.from_numpy(first), torch.from_numpy(second))
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_mutual_information_of_equal_and_of_unrelated_heads():
    sure = torch.eye(4, dtype=torch.float64).repeat(5, 1)
    assert float(mutual_information(sure, sure)) == pytest.approx(np.log(4))
    other = sure.repeat_interleave(4, 0)[:80]  # every pair of actions equally often
    assert float(mutual_information(sure.repeat(4, 1), other)) == pytest.approx(0, abs=1e-9)
    constant = sure[:1].expand(20, -1)
    assert float(mutual_information(sure, constant)) == pytest.approx(0, abs=1e-9)


def test_agreement_on_levels_and_divergence_are_those_of_a_loop():
    first, second = (rows.reshape(10, 5, 4) for rows in predictions(1))
    expected = []
    for level in range(10):
        alike = 1.0
        for p, q in zip(first[level], second[level], strict=True):
            alike *= sum(p * q)
        expected.append(-np.log(1 - alike))
    tensors = torch.from_numpy(first), torch.from_numpy(second)
    assert float(level_agreement(*tensors)) == pytest.approx(np.mean(expected))
    mean, shares = first.mean((0, 1)), np.array([0.1, 0.2, 0.3, 0.4])
    expected = sum(m * np.log(m / s) for m, s in zip(mean, shares, strict=True))
    assert float(divergence_from(torch.from_numpy(shares), tensors[0])) == pytest.approx(expected)
    assert float(divergence_from(torch.from_numpy(mean), tensors[0])) == pytest.approx(0, abs=1e-12)


def test_one_state_is_enough_for_a_level_to_differ():
    sure = torch.eye(4)[torch.zeros(6, 8, dtype=torch.long)]
    other = sure.clone()
    assert float(level_agreement(sure, other)) > 10
    other[:, 3] = torch.eye(4)[1]
    assert float(level_agreement(sure, other)) == pytest.approx(0, abs=1e-6)
    assert float(level_agreement(sure.reshape(48, 1, 4), other.reshape(48, 1, 4))) > 10


def trained(weight, over="states"):
    """(configuration, algorithm) after a short training with two heads."""
    config = make_config(TASK, seed=3, **SMALL)
    elsewhere = TASKS[TASK].make_env(config.num_envs)
    elsewhere.seed_levels(Levels("train", shifted_share=1.0), 5)
    elsewhere.reset()
    kind = functools.partial(
        TwoHeadedCloning,
        elsewhere=elsewhere,
        visitor=ActingExpert(UniformPolicy(TASK), 0.0),
        diversity=Diversity(over, weight, weight, 8),
    )
    return config, make_model(config, kind).learn(config.total_timesteps)


def observations(share):
    """uint8[K, 3, 9, 9]: states of shortest ways; on a share of the levels the cheese is moved."""
    env = TASKS[TASK].make_env(64)
    seeds = env.sample_level_seeds(Levels("train", shifted_share=share), 64, 9)
    return joined(demonstrate(ScriptedPolicy(TASK, "optimal"), env, seeds, TASK))[0]


def alike(config, model, share):
    """Mean probability that both heads draw the same action."""
    spec, seen = agent_spec(config, model.policy), observations(share)
    first, second = (
        LearnedPolicy(spec, weights).action_probabilities(seen) for weights in model.heads()
    )
    return float((first * second).sum(1).mean())


def test_heads_differ_elsewhere_with_a_weight_and_not_without():
    """The negative control: without the term two heads are two copies of one clone."""
    without, apart = (trained(weight) for weight in (0.0, 1.0))
    at_home = [alike(*heads, share=0.0) for heads in (without, apart)]
    elsewhere = [alike(*heads, share=1.0) for heads in (without, apart)]
    assert min(at_home[0], elsewhere[0]) > 0.85
    assert elsewhere[1] < elsewhere[0] - 0.2
    assert elsewhere[1] < at_home[1]


def test_both_heads_are_ordinary_agents(tmp_path):
    config, model = trained(1.0)
    spec = agent_spec(config, model.policy, config.total_timesteps)
    for number, weights in enumerate(model.heads()):
        save_agent(tmp_path / str(number), spec, weights)
    first, second = (load_agent(str(tmp_path / str(n))) for n in (0, 1))
    assert not np.array_equal(*(a.weights["policy_head.weight"] for a in (first, second)))
    assert evaluate([first, second], episodes=20, split="iid").agents[0].task == TASK


def test_a_plain_clone_is_made_by_the_same_function():
    config = make_config(TASK, seed=3, **SMALL)
    assert type(make_model(config)) is BehaviourCloning


def test_a_demonstrated_level_ends_at_the_cheese_and_chooses_the_script():
    env = TASKS[TASK].make_env(8)
    seeds = env.sample_level_seeds(Levels("train", shifted_share=1.0), 8, 0)
    assert (seeds >= SHIFTED).all()
    shown = demonstrate(ScriptedPolicy(TASK, "optimal"), env, seeds, TASK)
    distances = env.landmark_distances(seeds)[:, 0]
    env.reset_levels(seeds, np.arange(8))
    starts = distances[np.arange(8), env.core.state_ids]
    assert [len(actions) for _, actions in shown] == starts.tolist()
    observations, actions = joined(shown)

    class Fixed:
        def __init__(self, probabilities):
            self.own = probabilities

        def action_probabilities(self, seen):
            assert seen is observations
            return self.own

    right = np.full((len(actions), 4), 0.1, np.float32)
    right[np.arange(len(actions)), actions] = 0.7
    assert log_likelihood(Fixed(right), (observations, actions)) == pytest.approx(np.log(0.7))
    wrong = np.roll(right, 1, axis=1)
    assert log_likelihood(Fixed(wrong), (observations, actions)) == pytest.approx(np.log(0.1))


def test_a_share_of_the_demonstrations_is_replaced():
    env = TASKS[TASK].make_env(1_000)
    env.reset()
    base = ActingExpert(ScriptedPolicy(TASK, "optimal"), 0.0)
    labelled = np.full((5, 3, 9, 9), 7, np.uint8), np.arange(5) % 4
    torch.manual_seed(0)
    observations, actions = WithLabels(base, labelled, 0.3).draw(env, 0)
    marked = (observations == 7).all(axis=(1, 2, 3))
    assert abs(marked.mean() - 0.3) < 0.05
    assert set(actions[marked].tolist()) == {0, 1, 2, 3}
    observations, _ = WithLabels(base, labelled, 0.0).draw(env, 0)
    assert not (observations == 7).any()
