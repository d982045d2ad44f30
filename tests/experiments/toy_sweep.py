"""A toy sweep: six short trainings, which write down that they were begun."""

from proxylab.plots.style import new_figure
from proxylab.reproduce.experiment import grid
from proxylab.reproduce.measure import outcome_rows, over_seeds

CLAIM = "six seeds, trained for a moment"
SWEEP = {"laptop": {"seeds": 6, "total_timesteps": 32_768, "measure": {"episodes": 20}}}


def points(settings):
    seeds = range(settings["seeds"])
    return grid("maze-corner", "proxy", seeds, total_timesteps=settings["total_timesteps"])


def measure(policy, point, settings):
    return outcome_rows(policy, ("iid",), **settings["measure"])


def analyse(rows):
    return {"means": over_seeds(rows, ("task",), ("true_return",))}


def draw(tables):
    figure = new_figure(2, 2)
    figure.add_subplot().bar(0, tables["means"][0]["mean"])
    return {"": figure}
