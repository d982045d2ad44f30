"""Training on a reward model: what is paid, the penalty, snapshots, resuming to the same bytes."""

import numpy as np
import pytest
import torch

from proxylab.agents.references import load_agents, load_stored
from proxylab.errors import UsageError
from proxylab.evaluation.evaluate import evaluate
from proxylab.rewards.collect import RANDOM, collect
from proxylab.rewards.fit import FitConfig, fit
from proxylab.rewards.model import RewardModel, combine, load_model, save_model
from proxylab.rewards.raters import Rater
from proxylab.storage import store
from proxylab.tasks import TASKS
from proxylab.training.learned_reward import ModelRewardVecEnv, PenalisedBuffer, stay
from proxylab.training.saving import snapshot_folders
from proxylab.training.train import make_config, make_model, train
from proxylab_envs.levels import Levels

TASK = "maze-corner"
pytestmark = pytest.mark.usefixtures("few_levels")
SMALL = {"total_timesteps": 8_192, "role": "proxy"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    asked = collect(TASK, [RANDOM, "script:maze-corner/optimal"], 60, Rater(), seed=1)
    path = tmp_path_factory.mktemp("reward") / "rm"
    return save_model(fit(asked, FitConfig(members=2, widths=(8,), epochs=2)), path)


def test_a_step_is_paid_what_the_model_gives_for_the_state_after_it(folder):
    model, env = load_model(folder), TASKS[TASK].make_env(8)
    vec = ModelRewardVecEnv(env, Levels(), seed=3, scale=0.5, model=model, how="min")
    vec.reset()
    rng, ended = np.random.default_rng(0), 0
    for _ in range(150):
        actions = rng.integers(4, size=8)
        before = env.snapshot()
        vec.step_async(actions)
        observations, paid, done, infos = vec.step_wait()
        after = observations.copy()
        for k in np.flatnonzero(done):
            after[k] = infos[k]["terminal_observation"]
        expected = 0.5 * combine(model.rewards(after), "min")
        terminated = np.array(
            [d and not i["TimeLimit.truncated"] for d, i in zip(done, infos, strict=True)]
        )
        ended += terminated.sum()
        factor = np.where(terminated, env.max_episode_steps - before["steps"], 1)
        assert np.allclose(paid, expected * factor, rtol=1e-4, atol=1e-5)
    assert ended > 3


def test_staying_is_a_geometric_sum():
    assert stay(1.0, np.array([0, 3])).tolist() == [1, 4]
    assert stay(0.5, np.array([0, 2])).tolist() == [1, 1.75]


def test_equal_runs_have_equal_bytes_also_after_an_interruption(folder, tmp_path, interrupted):
    reference = _agent(tmp_path / "reference")
    options = {"reward": f"model:{folder}", "kl": 0.1, "kl_to": str(reference)}
    options |= {"role": "proxy", "total_timesteps": 16_384}
    whole = train(TASK, out=tmp_path / "whole", **options)
    with interrupted(8_192):
        train(TASK, out=tmp_path / "parts", **options)
    resumed = train(TASK, out=tmp_path / "parts", resume=True, **options)
    weights = [(tmp_path / n / "agent.safetensors").read_bytes() for n in ("whole", "parts")]
    assert weights[0] == weights[1]
    assert resumed.timesteps == whole.timesteps


def _agent(path):
    train(TASK, out=path, **SMALL)
    return path


def test_a_model_that_has_changed_is_refused(folder, tmp_path):
    model = load_model(folder)
    copy = save_model(model, tmp_path / "rm")
    config = make_config(TASK, reward=f"model:{copy}", **SMALL)
    assert config.reward_sha256 == model.sha256
    assert config.reward_scale == 0.1
    changed = {name: array + 1 for name, array in model.weights.items()}
    save_model(RewardModel(model.spec, changed), copy)
    with pytest.raises(UsageError, match="it has changed"):
        make_model(config)
    again = make_config(TASK, reward=f"model:{copy}", **SMALL)
    assert again.fingerprint != config.fingerprint


def test_the_penalty_is_the_log_ratio(folder, tmp_path):
    reference = _agent(tmp_path / "reference")
    config = make_config(TASK, reward=f"model:{folder}", kl=2.0, kl_to=str(reference), **SMALL)
    buffer = make_model(config).rollout_buffer
    assert isinstance(buffer, PenalisedBuffer)
    env = TASKS[TASK].make_env(config.num_envs)
    rng = np.random.default_rng(0)
    buffer.observations[:] = env.observe()[None]
    buffer.actions[:] = rng.integers(4, size=buffer.actions.shape)
    buffer.log_probs[:] = -1.0
    network = load_stored(str(reference)).network
    logits = network(torch.from_numpy(env.observe()).float())[0].log_softmax(1).numpy()
    chosen = buffer.actions[:, :, 0].astype(int)
    expected = -1.0 - logits[np.arange(config.num_envs)[None], chosen]
    buffer.compute_returns_and_advantage(torch.zeros(config.num_envs), np.zeros(config.num_envs))
    assert np.allclose(buffer.rewards, -2.0 * 0.1 * expected, atol=1e-5)
    assert buffer.divergence == pytest.approx((expected**2).mean() / 2, rel=1e-4)


def test_a_penalty_keeps_a_policy_near_its_reference(tmp_path):
    """The levels are others than the reference was trained on: without a penalty it leaves."""
    reference, env = load_stored("zoo:maze-corner/proxy-00"), TASKS[TASK].make_env(256)
    env.reset_levels(env.sample_level_seeds(Levels("shifted"), 256, 0), np.arange(256))
    before, far = reference.probabilities(env, np.arange(256)), {}
    options = {"role": "proxy", "levels": "shifted", "total_timesteps": 16_384}
    options |= {"kl_to": reference.name, "start_from": reference.name}
    for kl in (0.0, 0.3):
        train(TASK, out=tmp_path / f"kl-{kl}", kl=kl, **options)
        own = load_stored(tmp_path / f"kl-{kl}").probabilities(env, np.arange(256))
        far[kl] = (own * np.log(own / np.maximum(before, 1e-9))).sum(1).mean()
    assert far[0.3] < far[0.0] / 2


def test_snapshots_are_agents(folder, tmp_path):
    options = {**SMALL, "total_timesteps": 16_384, "reward": f"model:{folder}"}
    train(TASK, out=tmp_path / "run", snapshots=2, **options)
    folders = snapshot_folders(tmp_path / "run")
    assert [path.name for path in folders] == ["step-0000008192", "step-0000016384"]
    early, late = load_agents(tmp_path / "run" / "snapshots")
    assert early.sha256 != late.sha256
    assert late.sha256 == load_stored(tmp_path / "run").sha256
    assert len(load_agents(tmp_path / "run")) == 1
    assert store.is_complete(tmp_path / "run")


def test_a_finished_run_without_snapshots_says_so(folder, tmp_path):
    train(TASK, out=tmp_path / "run", **SMALL)
    with pytest.raises(UsageError, match="without snapshots"):
        train(TASK, out=tmp_path / "run", snapshots=2, **SMALL)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"reward": "model:"}, "write model"),
        ({"reward": "model:nowhere"}, "no such file"),
        ({"kl": 1.0}, "need each other"),
        ({"kl": -1.0, "kl_to": "x"}, "negative"),
        ({"reward_combine": "min"}, "needs the reward model"),
    ],
)
def test_wrong_use(options, complaint):
    with pytest.raises(UsageError, match=complaint):
        make_config(TASK, **{**SMALL, **options})


def test_other_observations_are_refused(folder, tmp_path):
    with pytest.raises(UsageError, match="other observations"):
        train(TASK, out=tmp_path, reward=f"model:{folder}", env={"size": 11}, **SMALL)
    with pytest.raises(UsageError, match="reward model of maze-corner"):
        train("boat-race", out=tmp_path / "other", reward=f"model:{folder}")


def test_an_agent_of_a_reward_model_is_evaluated_as_trained_on_a_proxy(folder, tmp_path):
    train(TASK, out=tmp_path / "run", reward=f"model:{folder}", **SMALL)
    (agent,) = evaluate(str(tmp_path / "run"), episodes=20).agents
    assert agent.trained_reward == f"model:{folder}"
    assert agent.verdict in ("proxy-gaming", "capability-failure", "inconclusive")
