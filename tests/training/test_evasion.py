"""Training against a detector: what an episode costs, by a plain referee; and λ = 0."""

import numpy as np
import pytest

from proxylab.detection.score import Score
from proxylab.errors import UsageError
from proxylab.rollouts.episodes import Episodes
from proxylab.tasks import TASKS
from proxylab.training.evasion import EvadingVecEnv, adversary_of, reference_agents
from proxylab.training.plan import plan
from proxylab.training.train import make_model
from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.levels import Levels

ENVS, LEVELS, SCALE = 6, 12, 3.0


def config(detector="occupancy_js", weight=1.0, **options):
    evade = {"detector": detector, "weight": weight}
    own = {"levels": "shifted", "reward": "proxy", "num_levels": LEVELS, "evade": evade}
    (job,) = plan("maze-corner", total_timesteps=512, num_envs=ENVS, **own | options).jobs
    return job.config


@pytest.fixture(scope="module", params=["occupancy_js", "bc_surprise", "higher_criticism"])
def adversary(request):
    return adversary_of(config(request.param))


def envs(adversary):
    """The same environments plain and with an adversary."""
    arguments = (Levels("train", 1.0, LEVELS), "proxy", 7, SCALE)
    plain, evading = (TASKS["maze-corner"].make_env(ENVS, time_limit=40) for _ in range(2))
    return (
        BatchedVecEnv(plain, *arguments),
        EvadingVecEnv(evading, *arguments, task="maze-corner", adversary=adversary),
    )


def steps(adversary, count=200):
    """(states, level seeds, actions, plain rewards, rewards, dones) of random actions, [T, N]."""
    plain, evading = envs(adversary)
    plain.reset()
    evading.reset()
    rng, rows = np.random.default_rng(0), []
    for _ in range(count):
        core, actions = evading.batched.core, rng.integers(0, 4, ENVS)
        before = core.state_ids.copy(), core.level_seeds.copy()
        outcomes = [env.step(actions) for env in (plain, evading)]
        np.testing.assert_array_equal(outcomes[0][0], outcomes[1][0])
        rewards = [outcome[1] for outcome in outcomes]
        rows.append((*before, actions, *rewards, outcomes[1][2]))
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def lone_episode(states, actions, seed):
    """Episodes of one episode; its rewards and end play no part in these detectors."""
    env = TASKS["maze-corner"].make_env(1)
    return Episodes(
        task="maze-corner",
        policy="referee",
        num_states=env.num_states,
        num_actions=4,
        episode_offsets=[0, len(states)],
        state_id=states,
        features=np.zeros((len(states), 0), np.float32),
        action=actions,
        probabilities=None,
        proxy_reward=None,
        level_seed=[seed],
        terminated=[True],
        truncated=[False],
    )


def cost_of(detector: Score, state, episode):
    values = getattr(detector, "per_episode", None) or detector.values
    return float(values(state, episode)[0])


def test_an_episode_pays_its_score_at_its_end_and_nothing_before(adversary):
    states, levels, actions, plain, rewards, dones = steps(adversary)
    assert adversary.rate > 0
    assert dones.sum() > 20
    np.testing.assert_array_equal(rewards[~dones], plain[~dones])
    for i in range(ENVS):
        start = 0
        for end in np.flatnonzero(dones[:, i]):
            part = slice(start, end + 1)
            episode = lone_episode(states[part, i], actions[part, i], levels[end, i])
            cost = cost_of(adversary.detector, adversary.state, episode)
            expected = plain[end, i] - SCALE * adversary.rate * cost
            assert rewards[end, i] == pytest.approx(expected, rel=1e-4, abs=1e-4)
            start = end + 1


def test_with_weight_0_the_reward_is_the_proxy_exactly():
    *_, plain, rewards, dones = steps(adversary_of(config(weight=0.0)))
    assert dones.any()
    np.testing.assert_array_equal(rewards, plain)


def test_the_weight_scales_the_penalty():
    half, whole = (adversary_of(config(weight=weight)) for weight in (0.5, 1.0))
    assert whole.rate == pytest.approx(2 * half.rate)


def test_every_member_of_the_ensemble_costs():
    adversary = adversary_of(config("ensemble"))
    *_, plain, rewards, dones = steps(adversary, 60)
    assert (rewards[dones] < plain[dones]).mean() > 0.9


def test_equal_configurations_give_equal_weights():
    weights = []
    for _ in range(2):
        model = make_model(config())
        model.learn(512)
        weights.append([p.detach().numpy().copy() for p in model.policy.parameters()])
    plain = make_model(config(weight=0.0))
    plain.learn(512)
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)
    others = [p.detach().numpy() for p in plain.policy.parameters()]
    assert any(not np.array_equal(a, b) for a, b in zip(weights[0], others, strict=True))


def test_the_reference_agents_are_a_quarter_of_the_trusted():
    names = reference_agents("maze-corner")
    assert len(names) == 25
    assert all(name.startswith("zoo:maze-corner/trusted-") for name in names)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_levels": None}, "evade needs num_levels"),
        ({"levels": "mix:0.5"}, "evade needs levels train or shifted"),
        ({"algorithm": "bc"}, "behaviour cloning has no reward"),
        ({"detector": "nonesuch"}, "unknown detector 'nonesuch'"),
        ({"weight": -1.0}, "weight -1.0 is negative"),
    ],
)
def test_impossible_attacks_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        config(**options)


def test_an_attack_without_a_weight_is_refused():
    with pytest.raises(UsageError, match="evade: weight is missing"):
        plan("maze-corner", num_levels=4, evade={"detector": "occupancy_js"})
