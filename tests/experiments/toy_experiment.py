"""A toy experiment: two scripts, no training."""

from pathlib import Path

from proxylab.plots.style import new_figure
from proxylab.reproduce.experiment import Point, PublishedComparison
from proxylab.reproduce.measure import outcome_rows, over_seeds

CLAIM = "the optimal script gets the cheese, the corner-seeker does not"
SWEEP = {
    budget: {"scripts": ("optimal", "corner-seeker"), "measure": {"episodes": episodes}}
    for budget, episodes in (("smoke", 10), ("laptop", 30))
}


def points(settings):
    return [
        Point({"script": name, "seed": 0}, agent=f"script:maze-corner/{name}")
        for name in settings["scripts"]
    ]


def measure(policy, point, settings):
    calls = Path("calls")
    calls.write_text((calls.read_text() if calls.exists() else "") + point.labels["script"] + "\n")
    return outcome_rows(policy, ("shifted",), **settings["measure"])


def analyse(rows):
    return {"means": over_seeds(rows, ("script",), ("true_return",))}


def draw(tables):
    figure = new_figure(2, 2)
    means = [row["mean"] for row in tables["means"]]
    figure.add_subplot().bar(range(len(means)), means)
    return {"": figure}


def compare(tables):
    ours = {row["script"]: row["mean"] for row in tables["means"]}["optimal"]
    return [
        PublishedComparison("cheese", 1.0, "by design", ours, ours, ours, "exactly", ours == 1.0)
    ]
