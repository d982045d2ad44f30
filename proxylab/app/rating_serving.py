"""``proxylab app --rate``: serve the page on which a person rates clips."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from proxylab.app.page import RATING, page_files
from proxylab.app.rating_page import RatingPage
from proxylab.app.serving import Listening, chosen_token, import_server
from proxylab.errors import UsageError
from proxylab.rewards.collect import default_sources
from proxylab.rewards.questions import CLIPS, draw_questions
from proxylab.rewards.rating import PERSON, Rating, writable_file
from proxylab.rollouts.rollout import Policy

SCHEMA = "proxylab.app-rate/1"
PAIRS = 100
"""Questions by default."""

MAX_QUESTION = 200
"""Characters of what people are asked."""


@dataclass(frozen=True)
class Rated:
    """The page that was served.

    Attributes:
        url: its address, without its token.
        file: the preferences file.
        task: of the clips.
        answers: in the file.
        pairs: number of questions.
        num_bytes: size of the page, where it was only fetched once.
    """

    url: str
    file: str
    task: str
    answers: int
    pairs: int
    num_bytes: int

    def as_json(self) -> dict[str, Any]:
        """The object that ``app --rate --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def rate(
    file: str | Path,
    task: str,
    sources: Sequence[str | Policy] = (),
    *,
    pairs: int = PAIRS,
    clips: int = CLIPS,
    length: int | None = None,
    levels: str = "train",
    seed: int = 0,
    rater_name: str = PERSON,
    question: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8765,
    serve: bool = True,
    ready: Callable[[str], Any] = print,
    token: str | None = None,
    no_token: bool = False,
    open_browser: bool = False,
) -> Rated:
    """Record clips and serve the page that asks about pairs of them, until it is interrupted.

    Args:
        file: preferences file; an existing one is continued.
        task: name of the task.
        sources: policies of the clips; random actions and the task's scripts by default.
        pairs: number of questions.
        clips: number of clips recorded.
        length: steps of a clip; by default that of the task.
        levels: ``train``, ``shifted`` or ``mix:x``.
        seed: of levels, clips and pairs.
        rater_name: name of the person in the file.
        question: what the page asks; by default the goal of the kind of level.
        host: as of :func:`~proxylab.app.serving.app`, as all that follow.
        port: likewise.
        serve: likewise.
        ready: likewise.
        token: likewise.
        no_token: likewise.
        open_browser: likewise.

    Returns:
        :class:`Rated`.

    Raises:
        UsageError: an unknown task or source, levels that cannot be drawn, a file of other
            questions, a taken port, or a missing extra.
    """
    if question is not None and not 1 <= len(question) <= MAX_QUESTION:
        raise UsageError(f"a question has 1 to {MAX_QUESTION} characters")
    secret = chosen_token(token, no_token)
    make_app = import_server().make_rating_app
    path = writable_file(file)
    options: dict[str, Any] = {"levels": levels, "length": length, "clips": clips, "seed": seed}
    questions = draw_questions(task, sources or default_sources(task), pairs, **options)
    rating = Rating(questions, path, rater_name)
    page = partial(make_app, RatingPage(rating, question))
    listening = Listening(host, port, secret, serve, ready, open_browser)
    size, url = listening.run(page, page_files(RATING))
    return Rated(url, str(path), task, len(rating), pairs, size)
