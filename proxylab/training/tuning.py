"""A search for better hyperparameters of a task's preset, with Optuna (extra ``tune``).

The objective is the mean return of the *trained* reward channel on held-out levels of the
training kind, as a share of the optimal return, at the end of a run. The returns on shifted
levels, which a run records beside it, are never read: a preset that was chosen by them would make
agents whose generalisation was selected.

The study is an SQLite file. A killed search resumes: complete trials count, the interrupted one is
drawn and trained again from its checkpoint. The draw of a trial depends on the seed and the
complete trials before it, so an interrupted search ends with the same trials.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxylab.config import PPOConfig, TrainConfig
from proxylab.console.output import Track, no_progress
from proxylab.errors import UsageError, require_extra
from proxylab.seeds import stream_seed
from proxylab.storage import store
from proxylab.storage.whole_files import whole_file
from proxylab.training.train import make_config, run_job

if TYPE_CHECKING:
    import optuna  # an optional dependency

STUDY, BEST = "study.db", "best.toml"
WIDTH = 8.0
"""Factor by which a rate may be above or below that of the preset."""
COLUMNS = {"true": "iid/true_return", "proxy": "iid/proxy_return"}
"""kind of trained channel: column of a run's metrics; iid levels are of the training kind."""


@dataclass(frozen=True)
class Trial:
    """One complete trial.

    Attributes:
        number: in the order of completion; 0 is the preset.
        value: the objective.
        ppo: the hyperparameters that were searched.
        run: folder of the run.
    """

    number: int
    value: float
    ppo: dict[str, Any]
    run: str


@dataclass(frozen=True)
class TuneReport:
    """The result of a search.

    Attributes:
        task: task name.
        role: role of the task.
        objective: what was maximised.
        study: path of the SQLite file.
        config: TOML file with the best hyperparameters, for ``train --config``.
        preset: the objective with the preset.
        best: the best trial.
        trials: all complete trials.
    """

    task: str
    role: str
    objective: str
    study: str
    config: str
    preset: float
    best: Trial
    trials: list[Trial]

    def as_json(self) -> dict[str, Any]:
        """The object that ``tune --json`` prints."""
        return {"schema": "proxylab.tune/1", **asdict(self)}


def tune(
    task: str,
    role: str = "proxy",
    trials: int = 20,
    *,
    total_timesteps: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    track: Track = no_progress,
) -> TuneReport:
    """Search hyperparameters of PPO; a search that was begun in the folder goes on.

    Args:
        task: task name.
        role: role of the task.
        trials: number of complete trials in the end, the preset among them.
        total_timesteps: environment steps of each run; the preset's by default.
        seed: of the runs and of the draws.
        out: folder of the search; by default below ``results/tune``.
        track: function (list, description) -> iterable, to show progress.

    Returns:
        :class:`TuneReport`.

    Raises:
        UsageError: no Optuna, an unknown task or role, or a folder with a search of other settings.
    """
    require_extra("optuna", "tune")
    config = make_config(task, role, total_timesteps=total_timesteps, seed=seed)
    column = objective_column(config)
    folder = Path(out) if out else store.results_folder() / "tune" / task / role
    with store.only_writer(folder):
        study = _study(folder, config)
        missing = range(len(_complete(study)), trials)
        for number in track(missing, "trials"):
            _run_trial(study, config, number, folder, column)
        return _report(study, config, folder, column)


def objective_column(config: TrainConfig) -> str:
    """The column of a run's metrics that is maximised: of the trained channel, never shifted.

    Raises:
        UsageError: the run is trained on a mixture or on a learned reward.
    """
    kind = config.reward.partition("/")[0]
    if kind not in COLUMNS:
        raise UsageError(f"tune cannot judge runs on the reward {config.reward!r}")
    return COLUMNS[kind]


def objective(rows: Sequence[Mapping[str, Any]], column: str) -> float:
    """The value of a run: the column in the last row of its metrics."""
    return float(rows[-1][column])


def space(preset: PPOConfig) -> "dict[str, optuna.distributions.BaseDistribution]":
    """{hyperparameter: where it is searched}, around the preset."""
    # optional, slow to load
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    def around(value: float) -> FloatDistribution:
        return FloatDistribution(value / WIDTH, value * WIDTH, log=True)

    steps = sorted({32, 64, 128, preset.n_steps})
    return {
        "learning_rate": around(preset.learning_rate),
        "ent_coef": around(max(preset.ent_coef, 1e-4)),
        "n_steps": CategoricalDistribution(steps),
        "n_epochs": IntDistribution(1, max(8, preset.n_epochs)),
        "gae_lambda": FloatDistribution(0.8, 1.0),
        "clip_range": FloatDistribution(0.1, 0.4),
    }


def _study(folder: Path, config: TrainConfig) -> "optuna.Study":
    """The study of a folder, begun or continued; interrupted trials count as failed."""
    import optuna  # optional, slow to load

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{(folder / STUDY).absolute()}",
        study_name=f"{config.task} {config.role}",
        direction="maximize",
        load_if_exists=True,
    )
    begun = study.user_attrs.get("fingerprint", config.fingerprint)
    if begun != config.fingerprint:
        raise UsageError(f"{folder} holds a search with other settings: choose another --out")
    study.set_user_attr("fingerprint", config.fingerprint)
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def _run_trial(
    study: "optuna.Study", config: TrainConfig, number: int, folder: Path, column: str
) -> None:
    """Draw, train and store one trial; the first is the preset itself."""
    from optuna.samplers import TPESampler  # optional, slow to load

    searched = space(config.ppo)
    study.sampler = TPESampler(seed=stream_seed(config.seed, f"tune {number}") % 2**32)
    if number == 0:
        study.enqueue_trial(_preset_values(config.ppo, searched))
    trial = study.ask(searched)
    chosen = config if number == 0 else replace(config, ppo=replace(config.ppo, **trial.params))
    run = folder / "runs" / chosen.fingerprint[:16]
    trial.set_user_attr("run", str(run))
    run_job(chosen, run, resume=True)
    study.tell(trial, objective(store.read_table(run / store.METRICS), column))


def _preset_values(preset: PPOConfig, searched: Iterable[str]) -> dict[str, Any]:
    """The preset's values, as a trial holds them."""
    values = {name: getattr(preset, name) for name in searched}
    return values | {"ent_coef": max(preset.ent_coef, 1e-4)}


def _complete(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    from optuna.trial import TrialState  # optional, slow to load

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _report(study: "optuna.Study", config: TrainConfig, folder: Path, column: str) -> TuneReport:
    """The trials, and the best hyperparameters as a file for ``train --config``."""
    trials = [
        Trial(number, float(one.value or 0.0), dict(one.params), one.user_attrs["run"])
        for number, one in enumerate(_complete(study))
    ]
    best = max(trials, key=lambda trial: trial.value)
    lines = [f"{name} = {value!r}" for name, value in best.ppo.items() if best.number]
    with whole_file(folder / BEST) as temporary:
        temporary.write_text("\n".join(["[ppo]", *lines]) + "\n")
    return TuneReport(
        task=config.task,
        role=config.role,
        objective=f"{column}: share of the optimal return, held-out levels of the training kind",
        study=str(folder / STUDY),
        config=str(folder / BEST),
        preset=trials[0].value,
        best=best,
        trials=trials,
    )
