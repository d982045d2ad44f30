"""``proxylab tune``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tyro.conf import Positional

from proxylab.console.options import File, Flag, Positive, Seed, Task, Text

if TYPE_CHECKING:
    from proxylab.training.tuning import TuneReport


@dataclass(frozen=True)
class Tune:
    """Search hyperparameters of a task's preset with Optuna (extra tune).

    The objective is the return of the trained reward on held-out levels of the training kind;
    returns on shifted levels are never read. A killed search resumes with the same command.
    """

    task: Positional[Task]
    """the task"""
    role: Text = "proxy"
    """proxy or trusted"""
    trials: Positive = 20
    """complete trials in the end; the first is the preset"""
    total_timesteps: Positive | None = None
    """environment steps of each run; the preset's by default"""
    seed: Seed = 0
    """of the runs and of the draws"""
    out: File | None = None
    """folder of the search; by default below results/tune"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "TuneReport":
        """Search."""
        from proxylab.console.output import track
        from proxylab.training.tuning import tune

        options = {"seed": self.seed, "out": self.out, "track": track}
        steps = self.total_timesteps
        return tune(self.task, self.role, self.trials, total_timesteps=steps, **options)
