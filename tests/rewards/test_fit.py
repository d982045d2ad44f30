"""Reward models: the gradient, recovery of a known reward, files, combinations."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from proxylab.errors import AgentError, UsageError
from proxylab.rewards import fit as fitting
from proxylab.rewards.clips import Clips
from proxylab.rewards.collect import RANDOM, collect
from proxylab.rewards.fit import FitConfig, accuracies, clip_returns, fit
from proxylab.rewards.model import (
    RewardModel,
    RewardSpec,
    combine,
    inputs,
    load_model,
    parse_combination,
    save_model,
)
from proxylab.rewards.preferences import Preferences
from proxylab.rewards.raters import EQUAL, LEFT, RIGHT, UNSURE, Rater

SPEC = RewardSpec("boat-lagoon", {}, (3,), "float32", 0, (4,), 2, 5, (0.0, 0.0), (1.0, 1.0))


def made_up(count=8, pairs=10, length=5, inputs=3, seed=0):
    """Data of random clips and targets."""
    rng = np.random.default_rng(seed)
    states = torch.from_numpy(rng.normal(size=(count, length, inputs)).astype(np.float32))
    sides = (torch.from_numpy(rng.integers(count, size=pairs)) for _ in range(2))
    target = torch.from_numpy(rng.choice([0.0, 0.5, 1.0], pairs).astype(np.float32))
    return fitting.Data(states, *sides, target)


def loss_in_plain_python(weights, data, pairs, member):
    """Mean cross entropy of one member, by loops."""
    total = 0.0
    for pair in pairs:
        returns = []
        for clip in (data.left[pair], data.right[pair]):
            paid = 0.0
            for state in data.states[clip].double().numpy():
                first, bias = (weights[f"layer0.{n}"][member] for n in ("weight", "bias"))
                second, last = (weights[f"layer1.{n}"][member] for n in ("weight", "bias"))
                hidden = np.tanh(state @ first + bias)
                paid += float(hidden @ second[:, 0] + last[0])
            returns.append(paid)
        p = 1 / (1 + np.exp(returns[1] - returns[0]))
        y = float(data.target[pair])
        total -= y * np.log(p) + (1 - y) * np.log(1 - p)
    return total / len(pairs)


def test_the_loss_and_its_gradient_are_those_of_bradley_and_terry():
    data, pairs = made_up(), np.arange(10)
    weights = fitting.initial_weights(SPEC, 0)
    loss = fitting._loss(fitting.network, weights, data, np.stack([pairs, pairs[::-1]]))
    plain = {name: tensor.detach().double().numpy() for name, tensor in weights.items()}
    for member in range(2):
        expected = loss_in_plain_python(plain, data, pairs, member)
        assert float(loss[member].detach()) == pytest.approx(expected, rel=1e-5)
    loss.sum().backward()
    step = 1e-5
    for name, index in (
        ("layer0.weight", (0, 1, 2)),
        ("layer0.bias", (1, 3)),
        ("layer1.weight", (1, 0, 0)),
    ):
        member, values = index[0], []
        for sign in (1, -1):
            moved = {key: array.copy() for key, array in plain.items()}
            moved[name][index] += sign * step
            values.append(loss_in_plain_python(moved, data, pairs, member))
        gradient = (values[0] - values[1]) / (2 * step)
        assert float(weights[name].grad[index]) == pytest.approx(gradient, rel=1e-3, abs=1e-6)


def test_a_bias_of_the_last_layer_does_not_matter():
    """A negative control of sorts: equal lengths cannot tell a constant reward."""
    data = made_up()
    weights = fitting.initial_weights(SPEC, 0)
    loss = fitting._loss(fitting.network, weights, data, np.tile(np.arange(10), (2, 1)))
    loss.sum().backward()
    assert float(weights["layer1.bias"].grad.abs().max()) < 1e-5


def linear_preferences(count=400, pairs=10_000, length=10, seed=1):
    """Noiseless answers by a linear reward of random observations of boat-lagoon's shape."""
    rng = np.random.default_rng(seed)
    observations = rng.normal(size=(count, length, 24)).astype(np.float32)
    truth = rng.normal(size=24)
    returns = (observations @ truth).sum(1)
    left = rng.integers(count, size=pairs)
    right = (left + rng.integers(1, count, size=pairs)) % count
    zeros = np.zeros(count, np.int64)
    clips = Clips(
        "boat-lagoon",
        {},
        ("x",),
        zeros.astype(np.int32),
        zeros,
        zeros,
        zeros.astype(np.int32),
        observations,
        np.zeros((count, length), np.int8),
    )
    answer = np.where(returns[left] > returns[right], LEFT, RIGHT)
    rest = {"rater": np.full(pairs, "x"), "probability": np.zeros(pairs), "time": np.zeros(pairs)}
    return Preferences(clips, left, right, answer, **rest), truth


def test_a_known_linear_reward_is_recovered_from_noiseless_pairs():
    from proxylab.tasks import TASKS

    width = TASKS["boat-lagoon"].make_env(1).single_observation_space.shape[0]
    assert width == 24
    preferences, truth = linear_preferences()
    config = FitConfig(members=2, widths=(), epochs=20, learning_rate=3e-3)
    model = fit(preferences, config)
    new = np.random.default_rng(2).normal(size=(2000, 24)).astype(np.float32)
    for rewards in model.rewards(new):
        assert np.corrcoef(rewards, new @ truth)[0, 1] >= 0.99
    assert accuracies(model, preferences).min() > 0.97


def test_answers_turned_round_turn_the_reward_round():
    preferences, truth = linear_preferences(pairs=2_000)
    turned = np.where(preferences.answer == LEFT, RIGHT, LEFT)
    model = fit(
        replace(preferences, answer=turned), FitConfig(members=1, widths=(), learning_rate=0.01)
    )
    new = np.random.default_rng(2).normal(size=(500, 24)).astype(np.float32)
    assert np.corrcoef(model.rewards(new)[0], new @ truth)[0, 1] < -0.9


@pytest.fixture(scope="module")
def maze():
    return collect("maze-corner", [RANDOM, "script:maze-corner/optimal"], 80, Rater(), seed=1)


@pytest.fixture(scope="module")
def model(maze):
    return fit(maze, FitConfig(members=3, widths=(8,), epochs=3))


def test_equal_seeds_give_equal_bytes(maze, model):
    config = FitConfig(members=3, widths=(8,), epochs=3)
    assert fit(maze, config).sha256 == model.sha256
    assert fit(maze, replace(config, seed=1)).sha256 != model.sha256


def test_rewards_are_standardised_on_the_states_of_the_clips(maze, model):
    rewards = clip_returns(model, maze.usable().clips) / maze.clips.length
    assert abs(rewards.mean()) < 1e-3
    flat = maze.usable().clips.observations.reshape(-1, 3, 9, 9)
    assert np.allclose(model.rewards(flat).std(1), 1, atol=1e-3)


def test_equal_and_unsure_answers(maze):
    unsure = replace(maze, answer=np.full(len(maze), UNSURE))
    with pytest.raises(UsageError, match="0 answers are too few"):
        fit(unsure)
    equal = replace(maze, answer=np.full(len(maze), EQUAL))
    assert (equal.usable().targets() == 0.5).all()


def test_a_model_that_reads_actions(maze):
    model = fit(maze, FitConfig(members=1, widths=(4,), epochs=1, reads_actions=True))
    assert model.spec.num_actions == 4
    rows = maze.clips.observations[:5, 0]
    first = model.rewards(rows, np.zeros(5, int))
    assert not np.allclose(first, model.rewards(rows, np.ones(5, int)))
    with pytest.raises(UsageError, match="reads actions"):
        model.rewards(rows)


def test_what_is_saved_is_loaded(model, maze, tmp_path):
    save_model(model, tmp_path / "rm")
    loaded = load_model(tmp_path / "rm")
    rows = maze.clips.observations[:7, 0]
    assert (loaded.rewards(rows) == model.rewards(rows)).all()
    assert loaded.spec == model.spec
    assert loaded.sha256 == load_model(tmp_path / "rm" / "reward.json").sha256


EDITS = {
    "schema": ("schema", "x/1", "schema"),
    "members": ("members", 65, "members is not between"),
    "negative": ("members", -1, "members is not between"),
    "huge": ("widths", [10**9], "widths is not"),
    "deep": ("widths", [4] * 65, "widths is not"),
    "shape": ("observation_shape", [2, 9, 9], "layer0.weight is missing or not"),
    "dtype": ("observation_dtype", "float64", "observation_dtype is not"),
    "scale": ("scale", [0.0, 1.0, 1.0], "scale is not positive"),
    "offset": ("offset", ["a", 1.0, 1.0], "offset is not"),
    "digest": ("sha256", "0" * 64, "sha256"),
    "training": ("training", [], "training is not an object"),
    "list": ("members", [3], "members is not between"),
    "true": ("clip_length", True, "clip_length is not between"),
    "float": ("num_actions", 0.0, "num_actions is not between"),
    "long task": ("task", "x" * 300, "task is not a short text"),
    "architecture": ("architecture", "conv", "architecture is not"),
    "too many cells": ("observation_shape", [3, 4000, 4000], "observation_shape is not fewer"),
    "env": ("env", "{}", "env is not an object"),
    "five sides": ("observation_shape", [1, 1, 1, 1, 1], "observation_shape is not"),
    "few offsets": ("offset", [0.0], "offset is not"),
    "missing": ("widths", None, "the field 'widths' is missing"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_changed_specification_is_one_line(model, tmp_path, name):
    field, value, complaint = EDITS[name]
    save_model(model, tmp_path)
    record = json.loads((tmp_path / "reward.json").read_text())
    record[field] = value
    if value is None:
        del record[field]
    (tmp_path / "reward.json").write_text(json.dumps(record))
    with pytest.raises(AgentError, match=complaint) as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"PK\x03\x04", b"\xff" * 64])
def test_changed_weights_are_refused(model, tmp_path, content):
    save_model(model, tmp_path)
    (tmp_path / "reward.safetensors").write_bytes(content)
    with pytest.raises(AgentError):
        load_model(tmp_path)


def test_weights_that_are_not_finite_are_refused(model, tmp_path):
    weights = {name: array.copy() for name, array in model.weights.items()}
    weights["layer0.bias"][0, 0] = np.nan
    with pytest.raises(AgentError, match="missing or too large"):
        save_model(RewardModel(model.spec, weights), tmp_path)


def test_combinations():
    rewards = np.array([[1.0, 2.0], [3.0, 8.0]], np.float32)
    assert combine(rewards, "mean").tolist() == [2, 5]
    assert combine(rewards, "min").tolist() == [1, 2]
    assert combine(rewards, "uwo:0.5").tolist() == [1.5, 0.5]
    assert combine(rewards, "member:1").tolist() == [3, 8]
    with pytest.raises(UsageError, match="has 2 members"):
        combine(rewards, "member:2")


@pytest.mark.parametrize(
    "text", ["max", "uwo", "uwo:x", "uwo:-1", "mean:1", "member:0.5", "member"]
)
def test_other_combinations_are_refused(text):
    with pytest.raises(UsageError, match="choose mean"):
        parse_combination(text)


MAZE = "maze-corner"
SCRIPTS = (RANDOM, f"script:{MAZE}/optimal", f"script:{MAZE}/corner-seeker")


def maze_model(**options):
    answers = collect(MAZE, SCRIPTS, 300, Rater(5.0), levels="shifted", clips=300)
    return fit(answers, FitConfig(members=2, epochs=20, **options)), answers


def test_a_network_of_each_cell_learns_what_is_paid_anywhere():
    """The mouse on the cheese is one input for all cells, where the whole observation has 49."""
    cells, answers = maze_model()
    assert cells.spec.architecture == "cells"
    whole, _ = maze_model(architecture="mlp")
    decided = answers.select(np.flatnonzero(answers.probability != 0.5))
    assert accuracies(cells, decided).min() > 0.97
    assert whole.spec.architecture == "mlp"


def test_a_reward_of_flags_is_the_sum_over_cells():
    """Referee: each cell's planes and place through the network, in plain Python."""
    model, answers = maze_model(widths=(4,))
    seen = answers.clips.states[::97]
    weights, size = model.weights, seen.shape[-1]
    for member in range(2):
        for shown, paid in zip(
            seen, model.raw(inputs(model.spec, seen, None))[member], strict=True
        ):
            total = 0.0
            for row in range(size):
                for column in range(size):
                    place = [2 * row / (size - 1) - 1, 2 * column / (size - 1) - 1]
                    at_cell = np.array([*shown[:, row, column].tolist(), *place])
                    hidden = at_cell @ weights["layer0.weight"][member]
                    hidden = np.tanh(hidden + weights["layer0.bias"][member])
                    total += float(hidden @ weights["layer1.weight"][member][:, 0])
                    total += float(weights["layer1.bias"][member][0])
            assert paid == pytest.approx(total, abs=1e-3)


def test_summing_flags_over_steps_changes_no_return():
    model, answers = maze_model(widths=(4,))
    summed = fitting._summed(model.spec, answers.clips)[:, 0]
    returns = model.raw(inputs(model.spec, answers.clips.states, None))
    returns = returns.reshape(2, *answers.clips.actions.shape).sum(2)
    assert model.raw(summed) == pytest.approx(returns, abs=1e-3)


def test_cells_are_for_planes_only():
    with pytest.raises(UsageError, match="few planes"):
        fit(linear_preferences(count=20, pairs=20, length=2)[0], FitConfig(architecture="cells"))
    with pytest.raises(UsageError, match="choose mlp or cells"):
        FitConfig(architecture="conv")
    with pytest.raises(AgentError, match="planes"):
        replace(SPEC, architecture="cells")


def test_a_model_of_before_the_architectures_is_one_of_the_whole_observation(tmp_path):
    """Its file has no field ``architecture``."""
    made, _ = maze_model(widths=(4,), architecture="mlp")
    save_model(made, tmp_path)
    record = json.loads((tmp_path / "reward.json").read_text())
    del record["architecture"]
    (tmp_path / "reward.json").write_text(json.dumps(record))
    read = load_model(tmp_path)
    assert (read.spec, read.sha256) == (made.spec, made.sha256)
