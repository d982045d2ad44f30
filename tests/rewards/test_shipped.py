"""The shipped reward models: named by zoo:, listed, and made by their recipes."""

import pytest

from proxylab.errors import AgentError
from proxylab.rewards.model import load_model
from proxylab.rewards.shipped import RECIPES, make
from proxylab.rewards.show import list_models

NAMED = [(task, name) for task, recipes in RECIPES.items() for name in recipes]


@pytest.mark.parametrize(("task", "name"), NAMED)
def test_every_recipe_has_a_model(task, name):
    model = load_model(f"zoo:{task}/{name}")
    assert model.spec.task == task
    assert model.spec.training["answers"] == RECIPES[task][name].pairs


@pytest.mark.parametrize(
    "text", ["zoo:maze-corner/reward-x", "zoo:maze-corner/../rewards/reward-corner", "zoo:x/y"]
)
def test_another_name_is_one_line(text):
    with pytest.raises(AgentError, match="no such reward model"):
        load_model(text)


def test_they_are_listed_with_their_references(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    names = {row["model"] for row in list_models().rows}
    assert names == {f"zoo:{task}/{name}" for task, name in NAMED}
    assert list_models(tmp_path).rows == []


def test_a_recipe_gives_the_shipped_bytes(tmp_path):
    """As of the smallest one; the floating point of another processor may differ."""
    task, name = "boat-lagoon", "reward-50"
    make(task, RECIPES[task][name], tmp_path)
    made, shipped = load_model(tmp_path), load_model(f"zoo:{task}/{name}")
    assert made.spec.training["answers"] == shipped.spec.training["answers"]
    for key, weights in shipped.weights.items():
        assert made.weights[key] == pytest.approx(weights, abs=1e-2)
