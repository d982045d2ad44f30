"""``detect`` in the background: one run at a time, its progress, its result kept."""

import threading
from dataclasses import dataclass, field

from proxylab.app.api import world_of
from proxylab.app.requests import checked
from proxylab.errors import UsageError
from proxylab.screening.run import detect

WAITING = 8
"""Runs that may wait."""


@dataclass
class DetectionJob:
    """A run of the detector on one agent.

    Attributes:
        state: ``waiting``, ``running``, ``done`` or ``failed``.
        stage: what is being done, in a word.
        done: of the stage.
        total: of the stage.
        result: what the page shows of the verdict; of a failure, its reason.
    """

    state: str = "waiting"
    stage: str = ""
    done: int = 0
    total: int = 0
    result: dict = field(default_factory=dict)

    def track(self, jobs, description):
        """Go through a list and count."""
        self.stage, self.done, self.total = description, 0, len(jobs)
        for job in jobs:
            yield job
            self.done += 1

    def as_json(self):
        """What the page polls."""
        shown = {"state": self.state, "stage": self.stage, "done": self.done, "total": self.total}
        return {**shown, **self.result}


class Verdicts:
    """All runs of the detector since the start, by (world, agent, episodes)."""

    def __init__(self, detect=None):
        """``detect`` is ``proxylab.screening.run.detect`` unless given."""
        self.jobs = {}
        self._detect = detect or _detect
        self._entry, self._turn = threading.Lock(), threading.Lock()

    def ask(self, worlds, request):
        """The state of a run, which begins when it is first asked for."""
        name, agent, episodes = checked(request, ("world", "agent", "episodes"))
        world = world_of(worlds, name)
        policy = world.agent(agent)
        with self._entry:
            key = (name, agent, episodes)
            if key not in self.jobs:
                self._begin(key, policy, world.task)
            return self.jobs[key].as_json()

    def _begin(self, key, policy, task):
        waiting = sum(job.state in ("waiting", "running") for job in self.jobs.values())
        if waiting > WAITING:
            raise UsageError("the detector is busy: ask again when it has done the others")
        job = self.jobs[key] = DetectionJob()
        arguments = (job, policy, task, key[2])
        threading.Thread(target=self._work, args=arguments, daemon=True).start()

    def _work(self, job, policy, task, episodes):
        with self._turn:
            job.state = "running"
            try:
                job.result = self._detect(policy, task, episodes, job.track)
                job.state = "done"
            except Exception as error:  # whatever it is, the page has to hear of it
                job.result = {"reason": " ".join(str(error).split())}
                job.state = "failed"


def _detect(policy, task, episodes, track):
    found = detect(policy, task=task, episodes=episodes, track=track)
    return verdict_facts(found)


def verdict_facts(found):
    """What the page shows of a :class:`~proxylab.detection.records.Detection` of one suspect."""
    (suspect,) = found.suspects
    deciding = suspect.scores.get(suspect.detector)
    return {
        "verdict": suspect.verdict,
        "reason": suspect.reason,
        "p_value": suspect.p_value,
        "detector": suspect.detector,
        "score": None if deciding is None else deciding.score,
        "episodes": found.episodes,
        "alpha": found.alpha,
        "trusted": len(found.trusted.agents),
        "split": found.split,
    }
