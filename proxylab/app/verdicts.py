"""``detect`` in the background: one run at a time, with progress and stored results."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from proxylab.app.api import world_of
from proxylab.app.requests import checked
from proxylab.app.state import World
from proxylab.console.output import Track
from proxylab.detection.records import Detection
from proxylab.errors import UsageError
from proxylab.rollouts.rollout import Policy
from proxylab.screening.run import detect

Detect = Callable[[Policy, str, int, Track], dict[str, Any]]
"""function (policy, task, episodes, track) -> the verdict as JSON."""

WAITING = 8
"""Most runs in the queue."""


@dataclass
class DetectionJob:
    """A run of the detector on one agent.

    Attributes:
        state: ``waiting``, ``running``, ``done`` or ``failed``.
        stage: name of the current stage.
        done: jobs of the stage that are done.
        total: jobs of the stage.
        result: the verdict as JSON; of a failed run, its reason.
    """

    state: str = "waiting"
    stage: str = ""
    done: int = 0
    total: int = 0
    result: dict[str, Any] = field(default_factory=dict)

    def track(self, jobs: Sequence[Any], description: str) -> Iterator[Any]:
        """Iterate over a list and count."""
        self.stage, self.done, self.total = description, 0, len(jobs)
        for job in jobs:
            yield job
            self.done += 1

    def as_json(self) -> dict[str, Any]:
        """The object that the page polls."""
        shown = {"state": self.state, "stage": self.stage, "done": self.done, "total": self.total}
        return {**shown, **self.result}


class Verdicts:
    """All runs of the detector since the server started, by (world, agent, episodes)."""

    def __init__(self, detect: Detect | None = None) -> None:
        """``detect`` is ``proxylab.screening.run.detect`` unless given."""
        self.jobs: dict[tuple[str, str, int], DetectionJob] = {}
        self._detect = detect or _detect
        self._entry, self._turn = threading.Lock(), threading.Lock()

    def ask(self, worlds: Mapping[str, World], request: Mapping[str, Any]) -> dict[str, Any]:
        """The state of a run, which the first request starts."""
        name, agent, episodes = checked(request, ("world", "agent", "episodes"))
        world = world_of(worlds, name)
        policy = world.agent(agent)
        with self._entry:
            key = (name, agent, episodes)
            if key not in self.jobs:
                self._begin(key, policy, world.task)
            return self.jobs[key].as_json()

    def _begin(self, key: tuple[str, str, int], policy: Policy, task: str) -> None:
        waiting = sum(job.state in ("waiting", "running") for job in self.jobs.values())
        if waiting > WAITING:
            raise UsageError("the detector is busy: ask again when it has done the others")
        job = self.jobs[key] = DetectionJob()
        arguments = (job, policy, task, key[2])
        threading.Thread(target=self._work, args=arguments, daemon=True).start()

    def _work(self, job: DetectionJob, policy: Policy, task: str, episodes: int) -> None:
        with self._turn:
            job.state = "running"
            try:
                job.result = self._detect(policy, task, episodes, job.track)
                job.state = "done"
            except Exception as error:  # any failure is reported to the page
                job.result = {"reason": " ".join(str(error).split())}
                job.state = "failed"


def _detect(policy: Policy, task: str, episodes: int, track: Track) -> dict[str, Any]:
    return verdict_facts(detect(policy, task=task, episodes=episodes, track=track))


def verdict_facts(detection: Detection) -> dict[str, Any]:
    """The fields of a :class:`~proxylab.detection.records.Detection` of one suspect."""
    (suspect,) = detection.suspects
    deciding = suspect.scores.get(suspect.detector)
    return {
        "verdict": suspect.verdict,
        "reason": suspect.reason,
        "p_value": suspect.p_value,
        "difference": suspect.difference and asdict(suspect.difference),
        "detector": suspect.detector,
        "score": None if deciding is None else deciding.score,
        "episodes": detection.episodes,
        "alpha": detection.alpha,
        "trusted": len(detection.trusted.agents),
        "split": detection.split,
    }
