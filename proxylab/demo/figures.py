"""The figures of the demo, each drawn from the demo's tables and from nothing else."""

import numpy as np

from proxylab import plots
from proxylab.tasks import known_task

ENDINGS = {
    "maze-corner": {
        "intended": "got the cheese",
        "both": "corner first, then the cheese",
        "proxy": "went for the corner, no cheese",
        "neither": "got nowhere",
    },
    "boat-lagoon": {
        "intended": "finished the race",
        "both": "looped, then finished",
        "proxy": "loops for points, never finishes",
        "neither": "neither finished nor looped",
    },
}
"""What a caption says of an outcome."""

PATIENCE = 20
"""Frames for which the GIF goes on once one of the agents is done."""


def learning(tables):
    """Success of the agent while it trained."""
    return plots.learning_curve(
        tables["learning"],
        title=f"{tables['task']}: while the proxy agent learns",
        ylabel="return, share of the optimal one",
    )


def outcomes(tables):
    """How the episodes of both agents end, next to what a perfect proxy-seeker does."""
    return plots.outcome_bars(
        tables["outcomes"], accidental=tables["accidental"], title=f"{tables['task']}: outcomes"
    )


def scores(tables):
    """Who is flagged: the suspect and the honest held-out agents against the trusted ones."""
    detector = tables["detector"].replace("_", " ")
    return plots.score_strip(
        tables["scores"],
        threshold=tables["threshold"],
        title="Compared with the trusted population, true reward unseen",
        xlabel=f"anomaly score ({detector})",
    )


def paths(tables):
    """Six shifted mazes with the ways of both agents."""
    seeds = list(dict.fromkeys(row["level_seed"] for row in tables["paths"]))
    levels = [[row for row in tables["paths"] if row["level_seed"] == seed] for seed in seeds]
    pictures = level_pictures(tables["task"], seeds)
    size = round(known_task(tables["task"]).make_env(1).num_states ** 0.5)
    corner = np.array([size - 1.5, 1.5]) * pictures[0].shape[0] / size
    return plots.level_paths(
        pictures,
        [[plots.Path(row["agent"], np.array(row["points"])) for row in rows] for rows in levels],
        marks={"the corner": np.tile(corner, (len(seeds), 1))},
        title="Shifted levels: the cheese is no longer in the corner",
    )


def course(tables):
    """Both boats on the same course."""
    seed = tables["paths"][0]["level_seed"]
    rows = [row for row in tables["paths"] if row["level_seed"] == seed]
    ways = [
        plots.Path(
            row["agent"],
            np.array(row["points"]),
            f"{row['returns']['proxy/score']:.1f} points, {_laps(row['returns']):.1f} laps",
        )
        for row in rows
    ]
    return plots.course(level_pictures(tables["task"], [seed])[0], ways)


def laps(tables):
    """Score against laps, one dot an episode."""
    rows = tables["paths"]
    table = {
        "agent": [row["agent"] for row in rows],
        "score": [row["returns"]["proxy/score"] for row in rows],
        "laps": [_laps(row["returns"]) for row in rows],
    }
    return plots.score_against_laps(table, title="What was paid, and what was meant")


def occupancy(tables):
    """Where the new agent spends more of its steps than the trusted one, over many levels."""
    names = list(tables["occupancy"])
    shares = [np.array(tables["occupancy"][name]) for name in names]
    return plots.occupancy_difference(
        *shares, names, walls=sum(shares) == 0, title="Where they spend their time"
    )


def occupancy_along(tables):
    """The same on a course laid out straight: left to right along it, top to bottom across."""
    turned = {name: np.array(rows).T.tolist() for name, rows in tables["occupancy"].items()}
    figure = occupancy({"occupancy": turned})
    figure.axes[0].set(
        xlabel="along the course, from the start",
        ylabel="inner bank at the top",
        aspect="auto",
    )
    return figure


FIGURES = {
    "maze-corner": {
        "paths": paths,
        "outcomes": outcomes,
        "scores": scores,
        "learning": learning,
        "occupancy": occupancy,
    },
    "boat-lagoon": {
        "course": course,
        "laps": laps,
        "outcomes": outcomes,
        "scores": scores,
        "learning": learning,
        "occupancy": occupancy_along,
    },
}
"""The figures of each task: {name: function of the tables}."""


def draw_figures(tables, prefix):
    """Draw and write every figure of the task: list of paths, the PNGs first.

    Args:
        tables: of the demo.
        prefix: what the paths begin with, a folder with its slash or more.
    """
    written = []
    for name, draw in FIGURES[tables["task"]].items():
        written += plots.save(draw(tables), f"{prefix}{name}")
    return sorted(written, key=lambda path: (path.suffix, path.name))


def level_pictures(task, level_seeds):
    """uint8[H, W, 3] of every level as it starts."""
    env = known_task(task).make_env(len(level_seeds))
    env.reset_levels(np.array(level_seeds, np.int64), np.arange(len(level_seeds)))
    return [env.render_rgb(i) for i in range(len(level_seeds))]


def animate(task, traces, path, frames_per_second):
    """The GIF of two watched episodes on one level."""
    frames = plots.side_by_side(
        [trace.pictures for trace in traces],
        [trace.agent for trace in traces],
        [ENDINGS[task][trace.outcome] for trace in traces],
        patience=PATIENCE,
    )
    return plots.write_gif(frames, path, frames_per_second=frames_per_second)


def _laps(returns):
    """Laps of new progress: the true return less the 1 that finishing the race adds."""
    return min(returns["true"], 3.0)
