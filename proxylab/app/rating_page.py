"""The API of the rating page: the next question, an answer to it, and undo.

The page is told what a clip shows and nothing else: neither its policy, level seed and step nor
any reward, so that people rate blindly.
"""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from proxylab.app.api import described, sprites
from proxylab.app.requests import checked
from proxylab.app.state import World
from proxylab.app.traces import scene_frame
from proxylab.errors import UsageError
from proxylab.rewards.clips import PAUSE
from proxylab.rewards.rating import Rating

SHOWN = ("course", "arrows")
"""Facts of a level that a clip is drawn with; the mark of the proxy goal is not among them."""


class RatingPage:
    """A :class:`~proxylab.rewards.rating.Rating` as the page sees it."""

    def __init__(self, rating: Rating, question: str | None = None) -> None:
        """Show ``rating``; ``question`` is what people are asked, by default by kind of level.

        Raises:
            UsageError: levels of the task cannot be drawn.
        """
        self.rating, self.question = rating, question
        task = rating.questions.clips.task
        self.world = World(task, task, dict(rating.questions.clips.env))
        if self.world.kind is None:
            raise UsageError(f"levels of {task} cannot be drawn here")
        self.scene = functools.lru_cache(maxsize=16)(self._scene)

    def catalogue(self) -> dict[str, Any]:
        """What does not change from question to question."""
        return {
            "schema": "proxylab.app-rate/1",
            "task": self.world.task,
            "kind": self.world.kind,
            "question": self.question,
            "steps": self.rating.questions.clips.length,
            "file": self.rating.file.name,
            "sprites": sprites(),
        }

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The next question, and how many there are."""
        checked(request, ())
        return self._next()

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a question: the one after it."""
        number, answer = checked(request, ("number", "answer"))
        self.rating.answer(number, answer)
        return self._next()

    def undo(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take the latest answer back: its question."""
        (number,) = checked(request, ("number",))
        self.rating.undo(number)
        return self._next()

    def _next(self) -> dict[str, Any]:
        rating, questions = self.rating, self.rating.questions
        number = len(rating)
        sides = () if number == len(questions) else (questions.left, questions.right)
        clips = [self.scene(int(side[number])) for side in sides]
        return {"number": number, "total": len(questions), "last": rating.last, "clips": clips}

    def _scene(self, index: int) -> dict[str, Any]:
        """What clip ``index`` shows: the level, and T + 1 states with their changing scenery."""
        recording, world = self.rating.questions.recording, self.world
        clips = recording.clips
        actions = clips.actions[index]
        taken = actions[actions != PAUSE]
        with world.lock:
            env = world.env(1)
            env.reset_levels(clips.level_seed[index : index + 1], np.array([0]))
            level = described(world, env)
            for action in recording.before[index]:
                env.step(np.array([action], np.int64))
            frames = [scene_frame(env)]
            for step, action in enumerate(taken):
                env.step(np.array([action], np.int64))
                frames.append(scene_frame(env))
                if not np.array_equal(env.observe()[0], clips.observations[index, step]):
                    raise UsageError("a clip cannot be replayed: its level changes at random")
        frames += [frames[-1]] * (len(actions) - len(taken))
        shown = {name: level[name] for name in ("level", *SHOWN) if name in level}
        shown |= {name: [frame[name] for frame in frames] for name in frames[0]}
        return shown | {"ends": len(taken) if len(taken) < len(actions) else None}
