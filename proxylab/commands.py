"""One frozen dataclass a verb: its options, and the call they make.

``run`` returns what the verb's function returns, a dataclass with ``as_json``.
"""

from dataclasses import asdict, dataclass, field, make_dataclass
from pathlib import Path
from typing import Literal, get_type_hints

from tyro.conf import FlagCreatePairsOff, Positional

from proxylab.config import PPOConfig
from proxylab.errors import UsageError

Flag = FlagCreatePairsOff[bool]
Device = Literal["auto", "cpu", "cuda"]
FLAGGED, INCONCLUSIVE = 3, 4


@dataclass(frozen=True)
class List:
    """Show what there is."""

    what: Positional[Literal["tasks", "envs", "agents", "runs", "experiments", "detectors"]] = (
        "tasks"
    )
    """the kind of thing"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """The inventory asked for."""
        from proxylab.inventory import inventory

        return inventory(self.what)


def _optional(cls):
    """A dataclass with the fields and the texts of ``cls``, every field None: not given."""
    kinds = get_type_hints(cls)
    options = [(name, kind | None, field(default=None)) for name, kind in kinds.items()]
    made = make_dataclass(cls.__name__, options, frozen=True)
    made.__doc__ = cls.__doc__
    return made


PPO = _optional(PPOConfig)


@dataclass(frozen=True)
class Train:
    """Train an agent of a task's role; a finished run of the same settings is found again.

    What is not given is the task's preset.
    """

    task: Positional[str]
    """maze-corner, boat-race or boat-lagoon"""
    role: str = "proxy"
    """proxy or trusted"""
    levels: str | None = None
    """train, shifted or mix:<share of shifted levels>"""
    reward: str | None = None
    """true, proxy, a channel or mix:<share of the proxy>"""
    seed: int = 0
    """of everything"""
    seeds: str | None = None
    """several runs at once: 0-9 or 0-4,7"""
    jobs: int | None = None
    """processes for several runs; one per processor by default"""
    total_timesteps: int | None = None
    """environment steps of a run"""
    num_envs: int | None = None
    """environments stepped at once"""
    num_levels: int | None = None
    """size of a finite set of training levels; no limit by default"""
    algorithm: Literal["ppo", "a2c"] | None = None
    """ppo by default"""
    architecture: Literal["planner", "lattice-conv", "towers"] | None = None
    """network; its sizes stand in a configuration file"""
    threads: int | None = None
    """of torch; part of the result"""
    device: Device = "auto"
    """where the network learns; auto is the CPU, for the networks are small"""
    out: Path | None = None
    """folder of the run (several runs: above their folders)"""
    resume: Flag = False
    """go on from the checkpoint of an unfinished run"""
    force: Flag = False
    """start anew, whatever the folder holds"""
    config: Path | None = None
    """TOML file with options; those on the command line go before it"""
    tensorboard: Flag = False
    """write TensorBoard logs into the run's folder (extra tensorboard)"""
    dry_run: Flag = False
    """show the configuration and the folder, train nothing"""
    ppo: PPO = field(default_factory=PPO)
    """hyperparameters"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Train, or show what would be trained."""
        from proxylab.printing import TrainingBar, track
        from proxylab.train_plan import parse_seeds, plan, train_all

        names = ("levels", "reward", "total_timesteps", "num_envs", "num_levels", "algorithm")
        names += ("architecture", "threads", "device")
        found = plan(
            self.task,
            self.role,
            parse_seeds(self.seed if self.seeds is None else self.seeds),
            self.out,
            self.config,
            {name: value for name, value in asdict(self.ppo).items() if value is not None},
            **{name: getattr(self, name) for name in names},
        )
        if self.dry_run:
            return found
        shown = {"bar": TrainingBar, "track": track, "tensorboard": self.tensorboard}
        return train_all(found, self.jobs, resume=self.resume, force=self.force, **shown)


@dataclass(frozen=True)
class Evaluate:
    """Play agents on the levels of every split and judge what they pursue.

    An agent is a run folder, an agent file, zoo:TASK/NAME (zoo:maze-corner/trusted-03) or
    script:TASK/NAME (script:maze-corner/optimal).
    """

    agents: Positional[tuple[str, ...]]
    """the agents"""
    task: str | None = None
    """task they are meant for; by default each agent's own"""
    split: Literal["train", "iid", "shifted", "all"] = "all"
    """levels to play; the verdict needs all"""
    episodes: int = 500
    """levels of each split, one episode each"""
    seed: int = 0
    """of the levels and the action draws"""
    greedy: Flag = False
    """print the figures of the most probable actions; --json always holds both"""
    table: Path | None = None
    """write every episode to this Parquet file"""
    device: Device = "cpu"
    """where networks run"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Evaluate, and write the episodes where a file is asked for."""
        from proxylab.evaluation import evaluate
        from proxylab.printing import track

        found = evaluate(
            self.agents, self.task, self.split, self.episodes, self.seed, self.device, track
        )
        if self.table:
            from proxylab.store import write_table

            write_table(found.episodes(), self.table)
        return found


@dataclass(frozen=True)
class Detect:
    """Compare suspects with trusted agents, without ever querying the true reward.

    Suspects come before --trusted, which takes all that follows. Without a suspect it is
    the newest complete run; --trusted without a value means the agents shipped for the task.
    An agent is a run folder, an agent file, zoo:TASK/NAME or script:TASK/NAME.
    """

    suspects: Positional[tuple[str, ...]] = ()
    """the agents in doubt"""
    trusted: tuple[str, ...] = ()
    """the agents to compare with"""
    task: str | None = None
    """task they are meant for; by default the suspect's"""
    split: Literal["train", "iid", "shifted"] | None = None
    """levels to play; by default shifted where the task has them"""
    episodes: int = 200
    """levels, one episode of each agent on each"""
    seed: int = 0
    """of the levels, the action draws and the bootstrap"""
    detector: str = "occupancy_js"
    """the score that decides; see proxylab list detectors"""
    alpha: float = 0.05
    """false-alarm rate wanted"""
    fdr: Flag = False
    """let the false-discovery rate over all suspects decide"""
    correlation: float | None = None
    """least correlation of proxy and intended reward you vouch for, for the certificate"""
    exit_code: Flag = False
    """exit with 3 when a suspect is flagged, 4 when nothing could be said of one"""
    device: Device = "cpu"
    """where networks run"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Run everybody on the same levels and judge."""
        from proxylab.detecting import detect
        from proxylab.printing import track

        return detect(
            self.suspects or [newest_run()],
            self.trusted or None,
            task=self.task,
            split=self.split,
            episodes=self.episodes,
            seed=self.seed,
            detector=self.detector,
            alpha=self.alpha,
            fdr=self.fdr,
            correlation=self.correlation,
            device=self.device,
            track=track,
        )

    def code(self, result):
        """3, 4 or 0 by the verdicts, only where that was asked for."""
        verdicts = {report.verdict for report in result.suspects}
        if not self.exit_code:
            return 0
        if "FLAG" in verdicts:
            return FLAGGED
        return INCONCLUSIVE if verdicts - {"CLEAR"} else 0


def newest_run():
    """Folder of the newest complete run; ``UsageError`` says how to make one."""
    from proxylab.store import newest_run as find

    found = find()
    if found is None:
        raise UsageError("no suspect, and no complete run: name an agent, or train one first")
    return str(found)


@dataclass(frozen=True)
class Demo:
    """Train an agent from scratch, evaluate it, let the detector judge it, draw the figures."""

    task: Positional[str] = "maze-corner"
    """maze-corner or boat-lagoon"""
    out: Path = Path("demo")
    """folder of the results"""
    seed: int = 0
    """of the training and the levels"""
    total_timesteps: int | None = None
    """of the training, in environment steps; the task's preset by default"""
    episodes: int = 400
    """levels of each split in the evaluation"""
    device: Device = "auto"
    """where networks run"""
    force: Flag = False
    """train anew, whatever the run's folder holds"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """All of it."""
        from proxylab.demo import demo
        from proxylab.printing import TrainingBar, track

        settings = (self.task, self.out, self.seed, self.total_timesteps, self.episodes)
        return demo(*settings, self.device, self.force, TrainingBar, track)


@dataclass(frozen=True)
class Play:
    """Play a level with the keyboard (arrows, w a s d or numbers; q quits), or watch an agent.

    Frames go to stderr, the result to stdout. Where there is no terminal, the keys are read
    from stdin.
    """

    task: Positional[str]
    """the task"""
    split: Literal["train", "iid", "shifted"] = "shifted"
    """kind of level"""
    seed: int = 0
    """chooses the level"""
    level: Path | None = None
    """text file with a level of your own (maze-corner)"""
    agent: str | None = None
    """watch this agent instead of playing"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """One episode."""
        from proxylab.play import play

        return play(self.task, self.split, self.seed, self.level, self.agent)


@dataclass(frozen=True)
class Bench:
    """Measure speed on this machine, beside the best known alternative in the same run."""

    what: Positional[Literal["envs", "statistics", "training"]] = "envs"
    """what to measure"""
    task: str = "maze-corner"
    """of bench training: the task"""
    seeds: int = 5
    """of bench training: runs of each role"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Measure."""
        from proxylab.bench import bench

        return bench(self.what, self.task, self.seeds)


@dataclass(frozen=True)
class Doctor:
    """Check the installation: versions, threads, extras, caches, shipped agents."""

    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Check."""
        from proxylab.doctor import doctor

        return doctor()

    def code(self, result):
        """1 when something that is needed is broken."""
        return int(not result.healthy)


@dataclass(frozen=True)
class Zoo:
    """Train, measure and pack the agents that are shipped for a task; goes on where it stopped."""

    action: Positional[Literal["build"]]
    """what to do"""
    task: Positional[str]
    """the task"""
    trusted: int | None = None
    """trusted agents: a quarter reference, the rest calibration"""
    honest: int | None = None
    """honest agents, held out"""
    proxy: int | None = None
    """agents that pursue the proxy"""
    total_timesteps: int | None = None
    """environment steps of each; the task's presets by default"""
    jobs: int | None = None
    """processes at once; one a processor by default"""
    out: Path | None = None
    """folder of the zoo; the package's own by default"""
    json: Flag = False
    """print one JSON object"""

    def run(self):
        """Build."""
        from proxylab.printing import track
        from proxylab.zoo_build import build_zoo, default_numbers

        asked = {"trusted": self.trusted, "honest": self.honest, "proxy": self.proxy}
        given = {kind: number for kind, number in asked.items() if number is not None}
        numbers = default_numbers(self.task) | given
        return build_zoo(
            self.task, numbers, self.jobs, self.out, track, total_timesteps=self.total_timesteps
        )
