"""``proxylab rewards``."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from proxylab.console.options import Agent, File, Flag, Positive, Seed, Share, Text
from proxylab.errors import UsageError

if TYPE_CHECKING:
    from proxylab.rewards.collect import Collected
    from proxylab.rewards.fit_run import Fitted
    from proxylab.rewards.show import Models, Shown

OF = {
    "collect": (
        *("sources", "pairs", "clips", "length", "rater", "flip", "channel", "last", "levels"),
        *("seed", "out"),
    ),
    "fit": ("members", "epochs", "architecture", "reads_actions", "reference", "seed", "out"),
    "show": ("sources", "combine", "seed", "out"),
    "list": (),
}
"""Options of each action, besides ``--json``."""


@dataclass(frozen=True)
class Rewards:
    """Learn a reward from comparisons: collect answers, fit a reward model, show what it pays.

    Train on it with proxylab train TASK --reward model:FOLDER.
    """

    action: Positional[Literal["collect", "fit", "show", "list"]]
    """collect TASK: record clips and ask a simulated rater; fit FILE …: fit an ensemble to
    preferences; show FOLDER: compare a model with every reward channel; list: all models"""
    names: Positional[tuple[Text, ...]] = ()
    """a task, preferences files, or the folder of a reward model"""
    sources: Annotated[tuple[Agent, ...], arg(name="from")] = ()
    """policies of the clips: agents, scripts, or random; random and the scripts by default"""
    pairs: Positive | None = None
    """collect: number of questions; 500 by default"""
    clips: Positive | None = None
    """collect: number of clips; twice the questions by default, at most 1,600"""
    length: Positive | None = None
    """collect: steps of a clip; 50 in the boats, 25 elsewhere by default"""
    rater: Text | None = None
    """collect: boltzmann:<rationality> (boltzmann:3 by default) or noiseless"""
    flip: Share | None = None
    """collect: share of answers that are flipped"""
    channel: Text | None = None
    """collect: reward channel by which the rater judges; true by default"""
    last: Positive | None = None
    """collect: the rater sees only so many last steps of a clip"""
    levels: Text | None = None
    """collect: train, shifted or mix:<share of shifted levels>"""
    members: Positive | None = None
    """fit: networks of the ensemble; 5 by default"""
    epochs: Positive | None = None
    """fit: passes over the answers, at most; 30 by default"""
    architecture: Text | None = None
    """fit: mlp, a network of the whole observation, or cells, one of each cell; by default cells
    for up to four planes of 0 and 1, as in mazes"""
    reads_actions: Flag = False
    """fit: the reward depends on the action as well"""
    reference: Agent | None = None
    """fit: agent on whose states the rewards are standardised; the clips by default"""
    combine: Text | None = None
    """show: mean, min, uwo:<weight> or member:<number>"""
    seed: Seed = 0
    """of levels, clips, pairs and answers, or of the fit"""
    out: File | None = None
    """collect: the preferences file (.parquet); fit: the folder; show: a heat map (.png, .svg)"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "Collected | Fitted | Shown | Models":
        """Do the action."""
        self._refuse_others()
        return getattr(self, f"_{self.action}")()

    def _refuse_others(self) -> None:
        """``UsageError`` for an option of another action, or a wrong number of names."""
        for option in fields(self):
            if option.name in ("action", "names", "json", *OF[self.action]):
                continue
            if getattr(self, option.name) != option.default:
                shown = "from" if option.name == "sources" else option.name.replace("_", "-")
                actions = [action for action, options in OF.items() if option.name in options]
                raise UsageError(f"--{shown} is of rewards {' and '.join(actions)}")
        wanted = {"collect": "one task", "show": "one folder of a reward model"}
        if self.action in wanted and len(self.names) != 1:
            raise UsageError(f"rewards {self.action}: name {wanted[self.action]}")
        if self.action == "fit" and not self.names:
            raise UsageError("rewards fit: name at least one preferences file")

    def _collect(self) -> "Collected":
        from proxylab.rewards.collect import collect, default_sources, summary
        from proxylab.rewards.raters import parse_rater

        (task,) = self.names
        given = {"flip": self.flip or 0.0, "channel": self.channel or "true", "last": self.last}
        rater = parse_rater(self.rater or "boltzmann:3", **given)
        options: dict[str, Any] = {"length": self.length, "clips": self.clips, "seed": self.seed}
        out = self.out or Path("preferences.parquet")
        sources = self.sources or default_sources(task)
        preferences = collect(
            task,
            sources,
            self.pairs or 500,
            rater,
            out=out,
            levels=self.levels or "train",
            **options,
        )
        return summary(preferences, out)

    def _fit(self) -> "Fitted":
        from proxylab.rewards.fit_run import fit_files

        names = ("members", "epochs", "architecture", "reads_actions", "seed")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return fit_files(self.names, self.out, self.reference, **given)

    def _show(self) -> "Shown":
        from proxylab.rewards.show import show_model

        how = self.combine or "mean"
        return show_model(self.names[0], self.sources, how=how, seed=self.seed, out=self.out)

    def _list(self) -> "Models":
        from proxylab.rewards.show import list_models

        return list_models(self.names[0] if self.names else None)
