"""Settings of ``detect``, shared by the function, the command line and the JSON."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from proxylab.console.options import Detector, Env, Positive, Rate, Seed, Task, Text
from proxylab.detection.settings import DEFAULT_DETECTOR, JudgeSettings
from proxylab.storage.limits import check_episodes


@dataclass(frozen=True)
class DetectSettings(JudgeSettings):
    """Settings of ``detect``; ``proxylab detect --help`` prints the texts of the fields.

    Raises:
        UsageError: a number is out of range.
    """

    detector: Detector = DEFAULT_DETECTOR
    """the score that decides: see proxylab list detectors; or module:Class, file.py:Class"""
    also: tuple[Detector, ...] = ()
    """further scores to report; usual for the fast ones, all for every score"""
    alpha: Rate = 0.05
    """false-alarm rate, in (0, 1)"""
    correlation: Rate | None = None
    """assumed least correlation of proxy and intended reward, for the certificate only"""
    task: Task | None = None
    """task of the agents; by default that of the suspects"""
    env: Env | None = None
    """another environment: procgen (the original game), an id, or module:factory"""
    split: Literal["train", "iid", "shifted"] | None = None
    """split of the levels; by default shifted where the task has it"""
    episodes: Positive = 200
    """number of levels; each agent plays one episode on each"""
    seed: Seed = 0
    """seed of the levels, the action draws and the bootstrap"""
    greedy: bool = False
    """take the most probable action instead of sampling"""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """device on which networks run"""
    large_logs: Text | None = None
    """read logs of any size, through temporary files in this folder"""
    engine: Literal["local", "ray"] = "local"
    """where large logs are read and scored: processes of this machine, or a Ray cluster"""
    no_cache: bool = False
    """run the trusted agents even if the cache holds their rollouts on these levels"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_episodes(self.episodes)

    def judging(self) -> JudgeSettings:
        """The settings of the judgement, with detector objects in place of names.

        Raises:
            UsageError: an unknown detector.
        """
        # numba is slow to load, and --help does without
        from proxylab.detection.scores.registry import BRIEF, SCORES, USUAL, find_score
        from proxylab.screening.detectors import detector_of

        groups = {"all": tuple(SCORES), "usual": USUAL}
        also = [name for entry in self.also or () for name in groups.get(entry, (entry,))]
        for name in also:
            find_score(name)
        known = isinstance(self.detector, str) and self.detector in SCORES
        detector = self.detector if known else detector_of(self.detector)
        reported = tuple(dict.fromkeys((*BRIEF, *also)))
        return JudgeSettings(detector, reported, self.alpha, self.fdr, self.trim, self.correlation)

    def as_json(self) -> dict[str, Any]:
        """The settings as JSON; a detector object by its name."""
        return {**asdict(self), "detector": getattr(self.detector, "name", self.detector)}
