"""The worst reward within a correlation: the formula, the density ratio, training, resuming."""

import numpy as np
import pytest
import torch

from proxylab.agents.references import load_stored
from proxylab.errors import UsageError
from proxylab.tasks import TASKS
from proxylab.training import occupancy
from proxylab.training.occupancy import (
    Discriminator,
    Shift,
    Steps,
    occupancy_of,
    reference_steps,
    worst_penalty,
)
from proxylab.training.train import make_config, make_model, train

TASK = "maze-corner"
REFERENCE = "zoo:maze-corner/trusted-00"
MAX_MIN = {"occupancy": "max-min:0.4", "occupancy_to": REFERENCE}
pytestmark = pytest.mark.usefixtures("few_levels", "few_reference_steps")


@pytest.fixture(scope="module")
def few_reference_steps():
    """The reference acts for 4,096 steps: how well its occupancy is known is not tested there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occupancy, "REFERENCE_STEPS", 4_096)
        yield


def _standard(values, weights):
    values = values - weights @ values
    return values / np.sqrt(weights @ values**2)


def _example(seed, states=6):
    """(reference occupancy, own occupancy, proxy standardised under the first)."""
    rng = np.random.default_rng(seed)
    reference, own = rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(states))
    return reference, own, _standard(rng.normal(size=states), reference)


def _paid(reference, own, proxy, correlation, robust):
    """What is paid, in full: float64[S], by the module's formula."""
    ratio = own / reference
    shift = Shift(float(own @ ratio) - 1, float(own @ proxy))
    weight = np.sqrt(1 / correlation**2 - 1)
    return proxy - weight * worst_penalty(ratio, proxy, shift, robust)


@pytest.mark.parametrize("seed", range(5))
def test_no_reward_of_the_correlation_is_worse_than_the_one_that_is_paid(seed):
    r = 0.4
    reference, own, proxy = _example(seed)
    paid = _paid(reference, own, proxy, r, robust=True)
    worst = _standard(paid, reference)
    assert reference @ (worst * proxy) == pytest.approx(r)
    rng = np.random.default_rng(100 + seed)
    for _ in range(200):
        other = rng.normal(size=len(proxy))
        other = _standard(other - (reference @ (other * proxy)) * proxy, reference)
        reward = r * proxy + np.sqrt(1 - r**2) * other
        assert reference @ (reward * proxy) == pytest.approx(r, abs=1e-9)
        assert own @ worst <= own @ reward + 1e-9
    looser = _standard(_paid(reference, own, proxy, r, robust=False), reference)
    assert own @ worst < own @ (r * proxy)  # negative control: the proxy itself is better
    assert reference @ (looser * proxy) != pytest.approx(r, abs=1e-3)


def test_the_bound_of_orpo_is_looser_and_its_gradient_is_paid():
    reference, own, proxy = _example(7)
    other = _example(8)[1]

    def bound(occupancy):
        chi2 = occupancy @ (occupancy / reference) - 1
        return occupancy @ proxy - np.sqrt((1 / 0.4**2 - 1) * chi2)

    step = 1e-6
    slope = (bound(own + step * (other - own)) - bound(own)) / step
    paid = _paid(reference, own, proxy, 0.4, robust=False)
    assert (other - own) @ paid == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("robust", [False, True])
def test_the_penalty_has_mean_zero_where_the_policy_is(robust):
    reference, own, proxy = _example(3)
    ratio = own / reference
    shift = Shift(float(own @ ratio) - 1, float(own @ proxy))
    assert own @ worst_penalty(ratio, proxy, shift, robust) == pytest.approx(0, abs=1e-9)


def _cells(probabilities, seed, count=20_000):
    """Steps with one of three observations, by their probabilities; always the first action."""
    cells = np.random.default_rng(seed).choice(3, size=count, p=probabilities)
    return Steps(np.eye(3, dtype=np.float32)[cells], np.zeros(count, np.int64), np.zeros(count))


def _ratios(own, reference, rounds):
    torch.manual_seed(0)
    discriminator = Discriminator(torch.nn.Linear(3, 2), seed=1)
    for group in discriminator.optimiser.param_groups:
        group["lr"] = 0.03
    for _ in range(rounds):
        discriminator.update(own, reference)
    seen = np.eye(3, dtype=np.float32), np.zeros(3, np.int64)
    return np.exp(discriminator.log_ratio(*seen))


def test_the_discriminator_estimates_the_ratio():
    own, reference = _cells([0.2, 0.2, 0.6], 0), _cells([0.4, 0.5, 0.1], 1)
    assert _ratios(own, reference, 20) == pytest.approx([0.5, 0.4, 6.0], rel=0.2)
    assert _ratios(own, own, 20) == pytest.approx([1.0, 1.0, 1.0], rel=0.2)


def test_equal_runs_have_equal_bytes_also_after_an_interruption(tmp_path, interrupted):
    options = {"role": "proxy", "total_timesteps": 8_192, **MAX_MIN}
    train(TASK, out=tmp_path / "whole", **options)
    with interrupted(4_096):
        train(TASK, out=tmp_path / "parts", **options)
    train(TASK, out=tmp_path / "parts", resume=True, **options)
    weights = [(tmp_path / n / "agent.safetensors").read_bytes() for n in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_a_restored_discriminator_goes_on_as_before():
    config = make_config(TASK, total_timesteps=8_192, **MAX_MIN)
    first, second = (occupancy_of(config).discriminator for _ in range(2))
    steps = reference_steps(config, load_stored(REFERENCE))
    other = Steps(steps.observations, np.zeros_like(steps.actions), steps.rewards)
    first.update(other, steps)
    state = {name: np.array(tensor.numpy()) for name, tensor in first.tensors()}
    second.restore(state, first.updates)
    half = occupancy_of(config).discriminator  # negative control: without Adam's moments
    half.restore(state, first.updates)
    half.optimiser.state.clear()
    for each in (first, second, half):
        each.update(other, steps)
    seen = other.observations[:64], other.actions[:64]
    assert np.array_equal(first.log_ratio(*seen), second.log_ratio(*seen))
    assert not np.array_equal(first.log_ratio(*seen), half.log_ratio(*seen))


def test_the_first_rollout_is_paid_the_plain_reward_and_later_ones_less_where_it_has_moved():
    config = make_config(TASK, total_timesteps=8_192, **MAX_MIN)
    env = make_model(config).env
    steps = env.occupancy.reference
    few = Steps(steps.observations[:64], steps.actions[:64], steps.rewards[:64])
    assert not env.penalties(few).any()
    env.shift = Shift(1.0, 0.5)
    assert env.penalties(few).any()
    plain = make_model(
        make_config(TASK, total_timesteps=8_192, **(MAX_MIN | {"occupancy": "orpo:1"}))
    ).env
    plain.shift = Shift(1.0, 0.5)
    assert not plain.penalties(few).any()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"occupancy": "orpo:0.4"}, "need each other"),
        ({**MAX_MIN, "occupancy": "chi2:0.4"}, "choose orpo:r or max-min:r"),
        ({**MAX_MIN, "occupancy": "orpo:0"}, "0 < r"),
        ({**MAX_MIN, "occupancy": "orpo:nan"}, "0 < r"),
        ({**MAX_MIN, "algorithm": "bc"}, "cloning has no reward"),
        ({**MAX_MIN, "levels": "plr:0.1"}, "plain reward"),
        ({**MAX_MIN, "kl": 0.1, "kl_to": REFERENCE}, "plain reward"),
    ],
)
def test_wrong_use(options, complaint):
    with pytest.raises(UsageError, match=complaint):
        make_config(TASK, **options)


def test_a_reference_of_another_task_is_refused():
    config = make_config(TASK, occupancy="orpo:0.4", occupancy_to="zoo:boat-race/trusted-00")
    with pytest.raises(UsageError, match="made for boat-race"):
        make_model(config)


def test_a_reference_whose_reward_never_varies_is_refused(monkeypatch):
    steps = _cells([1.0, 0.0, 0.0], 0, count=100)
    monkeypatch.setattr(occupancy, "reference_steps", lambda config, policy: steps)
    with pytest.raises(UsageError, match="never varies"):
        make_model(make_config(TASK, total_timesteps=8_192, **MAX_MIN))


def test_the_reference_acts_at_random_on_a_share_of_its_steps():
    config = make_config(TASK, total_timesteps=8_192, **MAX_MIN)
    steps = reference_steps(config, load_stored(REFERENCE))
    env = TASKS[TASK].make_env(1)
    assert steps.observations.shape[1:] == env.single_observation_space.shape
    assert len(steps.actions) == len(steps.rewards) == len(steps.observations)
    assert set(np.unique(steps.actions)) == set(range(4))
    assert np.array_equal(steps.actions, reference_steps(config, load_stored(REFERENCE)).actions)
