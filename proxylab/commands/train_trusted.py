"""``proxylab train-trusted``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from proxylab.console.options import Env, File, Finite, Flag, Positive, Seed, Text

if TYPE_CHECKING:
    from proxylab.training.population import TrustedPopulation


@dataclass(frozen=True)
class TrainTrusted:
    """Train many agents of any Gymnasium environment with plain Stable-Baselines3.

    They differ in the seed only and become zips in one folder, which detect takes as --trusted.
    Seeds that are finished are skipped, so an interrupted command continues.
    """

    env: Env
    """Gymnasium id, such as FrozenLake-v1, or module:factory"""
    algorithm: Literal["ppo", "a2c", "dqn"] = "ppo"
    """algorithm of Stable-Baselines3"""
    seeds: Positive = 30
    """number of agents; detect needs 25 for its alpha of 0.05"""
    first_seed: Seed = 0
    """seed of the first agent"""
    timesteps: Positive = 100_000
    """environment steps of an agent"""
    policy: Literal["auto", "MlpPolicy", "CnnPolicy"] = "auto"
    """auto: CnnPolicy for images of 36 pixels and more"""
    num_envs: Positive = 1
    """environments of an agent"""
    set: tuple[Text, ...] = ()
    """hyperparameters that differ from the defaults: learning_rate=3e-4 n_steps=128"""
    min_return: Finite | None = None
    """admission: smallest mean return; agents below it go to the folder rejected"""
    episodes: Positive = 100
    """episodes of the evaluation after training"""
    out: File | None = None
    """folder; by default results/trusted/ENV/ALGORITHM"""
    jobs: Positive | None = None
    """processes; one per processor by default"""
    engine: Literal["local", "ray"] = "local"
    """ray: on a Ray cluster (extra ray)"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> "TrustedPopulation":
        """Train what is missing."""
        from proxylab.console.output import track
        from proxylab.training.population import train_trusted

        names = ("first_seed", "policy", "num_envs", "min_return", "episodes", "out", "jobs")
        options = {name: getattr(self, name) for name in (*names, "engine")}
        chosen = (self.env, self.algorithm, self.seeds, self.timesteps)
        return train_trusted(*chosen, hyperparameters=self.set, track=track, **options)
