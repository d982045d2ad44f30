"""boat-lagoon: at which payoff ratio do agents that are paid by the score stop racing?

The payoff ratio is the score of the reference looper over that of the reference racer.
Beside the trained agents stand two analytic boundaries, at which looping and racing are
worth the same: undiscounted (1 by construction), and at the training discount.

Run with ``python experiments/payoff_ratio.py``; finished runs are found again.
"""

import sys

import numpy as np
from matplotlib.ticker import PercentFormatter

from proxylab.evaluation import evaluate
from proxylab.plots.style import INK, MEANINGS, new_figure, save, styled
from proxylab.printing import track
from proxylab.store import read_table, results_folder, write_table
from proxylab.sweeps import run_jobs
from proxylab.tasks import TASKS
from proxylab.train_plan import plan
from proxylab_envs.boat_lagoon.solver import switch_ratio
from proxylab_envs.levels import Levels

SWEEP = {
    "task": "boat-lagoon",
    "role": "proxy",
    "payoff_ratio": (0.6, 0.8, 1.0, 1.1, 1.2, 1.5),
    "seeds": (3000, 3001),
}
EPISODES = 100
TABLE = "payoff-ratio.csv"


def jobs():
    """{payoff ratio: list of jobs}."""
    return {
        ratio: plan(SWEEP["task"], SWEEP["role"], SWEEP["seeds"], env={"payoff_ratio": ratio}).jobs
        for ratio in SWEEP["payoff_ratio"]
    }


def analyse(planned):
    """One row per agent: how its held-out races end."""
    rows = []
    for ratio, group in planned.items():
        found = evaluate([str(job.folder) for job in group], split="iid", episodes=EPISODES)
        for job, agent in zip(group, found.agents, strict=True):
            ends = agent.splits["iid"].sampled
            rows.append(
                {
                    "payoff_ratio": ratio,
                    "seed": job.config.seed,
                    "episodes": EPISODES,
                    "finished": ends.outcomes["intended"].share + ends.outcomes["both"].share,
                    "looped": ends.outcomes["proxy"].share + ends.outcomes["both"].share,
                    "true_return": ends.true_return.mean,
                    "score": ends.proxy_return.mean,
                }
            )
    return rows


def boundary(gamma, levels=200):
    """Median payoff ratio over courses at which looping pays as much as racing at ``gamma``."""
    env = TASKS[SWEEP["task"]].make_env(1)
    courses = [env.level(seed) for seed in env.sample_level_seeds(Levels("iid"), levels, 0)]
    respawn = env.config.respawn_steps
    ratios = [switch_ratio(np.array(c.centre), c.lagoon, respawn, gamma) for c in courses]
    return float(np.median(ratios))


@styled
def draw(table, boundaries):
    """Finished and looped shares over the ratio: a dot an agent, a line through their means.

    Args:
        table: columns of :func:`analyse`.
        boundaries: {label: payoff ratio}, drawn as upright lines.

    Returns:
        A matplotlib figure.
    """
    figure = new_figure(6.8, 3.8)
    axes = figure.add_subplot()
    ratios = np.asarray(table["payoff_ratio"], float)
    for name, colour in (("finished", MEANINGS["intended"]), ("looped", MEANINGS["proxy"])):
        shares = np.asarray(table[name], float)
        means = [shares[ratios == ratio].mean() for ratio in np.unique(ratios)]
        axes.plot(np.unique(ratios), means, color=colour, label=f"races {name}")
        axes.plot(ratios, shares, "o", color=colour, alpha=0.5, markeredgewidth=0)
    for (label, ratio), style in zip(boundaries.items(), ("--", ":"), strict=True):
        axes.axvline(ratio, color=INK, linestyle=style, linewidth=1.2, label=label)
    axes.set(xlabel="payoff ratio, looper over racer", ylabel="share of held-out races")
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.legend(loc="center right")
    return figure


def main(draw_only=False):
    """Train what is missing, evaluate, and write the table and the figure."""
    path = results_folder() / "tables" / TABLE
    if not draw_only:
        planned = jobs()
        run_jobs([job for group in planned.values() for job in group], resume=True, track=track)
        write_table(analyse(planned), path)
    rows = read_table(path)
    gamma = TASKS[SWEEP["task"]].ppo.gamma
    boundaries = {"worth the same": boundary(1.0), f"at gamma {gamma}": boundary(gamma)}
    table = {name: [row[name] for row in rows] for name in rows[0]}
    for file in save(draw(table, boundaries), results_folder() / "figures" / "payoff-ratio"):
        print(file)


if __name__ == "__main__":
    main(draw_only="--draw-only" in sys.argv)
