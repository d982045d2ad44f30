"""Rate clips of a maze as a person does, through the requests of the page of ``app --rate``.

    proxylab app --rate ratings.parquet --task maze-corner --rater-name scripted --no-open
    python docs/examples/scripted_rater.py "http://127.0.0.1:8765/?token=…"

The rater knows what the page shows, no more: the walls, the cheese and where the mouse goes.
"""

import json
import sys
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import HTTPCookieProcessor, Request, build_opener

MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
NEAR = 1
"""Steps of difference that are too few for it to tell."""


class Page:
    """The page at an address with its token."""

    def __init__(self, link: str) -> None:
        """Open the page, which sets the cookie."""
        self.url = link.split("?")[0]
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()))
        self.opener.open(link, timeout=60).close()

    def post(self, name: str, **request: Any) -> dict[str, Any]:
        """The answer to one request of the page."""
        body, headers = json.dumps(request).encode(), {"Content-Type": "application/json"}
        with self.opener.open(
            Request(f"{self.url}api/{name}", body, headers), timeout=60
        ) as answer:
            return json.load(answer)


def rate(page: Page, most: int | None = None) -> int:
    """Answer all remaining questions, or ``most`` of them: how many it were."""
    asked, done = page.post("question"), 0
    while asked["clips"] and done != most:
        asked = page.post("answer", number=asked["number"], answer=compare(*asked["clips"]))
        done += 1
    return done


def compare(left: dict[str, Any], right: dict[str, Any]) -> str:
    """The clip that reaches the cheese sooner; else the one that ends nearer to it."""
    later = cost(right) - cost(left)
    if later == 0:
        return "equal"
    return "unsure" if abs(later) <= NEAR else "left" if later > 0 else "right"


def cost(clip: dict[str, Any]) -> int:
    """Steps to the cheese: those that the clip takes, and those that remain at its end."""
    taken = len(clip["states"]) - 1 if clip["ends"] is None else clip["ends"]
    return taken + steps_to_cheese(clip)


def steps_to_cheese(clip: dict[str, Any]) -> int:
    """Steps from the mouse's last cell to the cheese, around the walls."""
    rows = clip["level"].split("\n")
    reached = {divmod(clip["states"][-1], len(rows[0]))}
    for steps in range(len(rows) * len(rows[0])):
        if any(rows[row][col] == "c" for row, col in reached):
            return steps
        there = {(row + down, col + right) for row, col in reached for down, right in MOVES}
        reached |= {(row, col) for row, col in there if rows[row][col] != "#"}
    raise ValueError("the cheese cannot be reached")


if __name__ == "__main__":
    print(f"{rate(Page(sys.argv[1]))} answers")
