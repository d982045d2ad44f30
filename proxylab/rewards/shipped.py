"""The shipped reward models: a table of how they are made, and where they lie.

``zoo:TASK/NAME`` names one, wherever the folder of a reward model can be named. Policies trained on
them are the kind *learned* of the shipped agents.
"""

from dataclasses import dataclass
from pathlib import Path

from proxylab.rewards.collect import RANDOM, collect, default_sources
from proxylab.rewards.fit import FitConfig, fit
from proxylab.rewards.model import JSON_NAME, save_model, shipped_folder
from proxylab.rewards.raters import RATIONALITY, Rater


@dataclass(frozen=True)
class Recipe:
    """How a shipped reward model is made.

    Attributes:
        pairs: questions to a simulated rater, who judges by the true reward.
        rationality: of the rater.
        sources: whose clips are compared; the task's scripts and random actions by default.
        levels: of the clips.
        seed: of clips, answers and fit.
    """

    pairs: int
    rationality: float
    sources: tuple[str, ...] = ()
    levels: str = "train"
    seed: int = 0


def _of_few_and_many(task: str) -> dict[str, Recipe]:
    """50, 200 and 4,000 answers about random actions and four half-trained policies."""
    sources = (RANDOM, *(f"zoo:{task}/weak-{number:02d}" for number in range(4)))
    beta = RATIONALITY[task]
    return {f"reward-{pairs}": Recipe(pairs, beta, sources) for pairs in (50, 200, 4_000)}


RECIPES: dict[str, dict[str, Recipe]] = {
    "boat-lagoon": _of_few_and_many("boat-lagoon"),
    "tomato-watering": _of_few_and_many("tomato-watering"),
    "maze-corner": {
        "reward-corner": Recipe(500, 5.0),
        "reward-anywhere": Recipe(500, 5.0, levels="shifted"),
    },
}
"""{task: {name: recipe}}."""


def make_shipped(task: str) -> None:
    """Make the reward models of a task that are missing, in the package's zoo."""
    for name, recipe in RECIPES.get(task, {}).items():
        folder = shipped_folder(task) / name
        if not (folder / JSON_NAME).is_file():
            make(task, recipe, folder)


def make(task: str, recipe: Recipe, folder: Path) -> None:
    """Ask the rater of a recipe, fit the model and save it in ``folder``."""
    sources = recipe.sources or default_sources(task)
    rater = Rater(recipe.rationality)
    levels, seed = recipe.levels, recipe.seed
    answers = collect(task, sources, recipe.pairs, rater, levels=levels, seed=seed)
    save_model(fit(answers, FitConfig(seed=recipe.seed)), folder)
