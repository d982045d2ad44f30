"""The static files of the page."""

from importlib.resources import files

from proxylab.report.look import DARK, LIGHT

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
STATIC = files("proxylab.app") / "static"


PAGE, RATING = "page.html", "rate.html"
"""The page of two agents on one level, and the one on which people rate clips."""


SCENERY = """
--grass:#7ea860;--meadow:#8fb66c;--sand:#e8d6a5;--foam:#e6f4f6;--sea:#a4cfe6;--shallow:#c4e9e9;
--hull:#be2c34;--deck:#fcf0de;--buoy:#f0802c
"""
"""Colours of a course: those of the environment's own images, with paler water under the paths."""

SCENERY_DARK = """
--grass:#283320;--meadow:#2e3a25;--sand:#5c5541;--foam:#6f8c99;--sea:#1f3f58;--shallow:#2a5563;
--hull:#d0424b;--deck:#fcf0de;--buoy:#f0802c
"""


def page_files(page: str = PAGE) -> dict[str, tuple[bytes, str]]:
    """{path: (bytes, media type)} of all static files; ``page`` is served as ``/``."""
    served = {
        f"/static/{entry.name}": (entry.read_bytes(), KINDS[f".{entry.name.rsplit('.')[-1]}"])
        for entry in STATIC.iterdir()
        if not entry.name.endswith(".html")
    }
    served["/static/palette.css"] = (palette().encode(), KINDS[".css"])
    served["/"] = ((STATIC / page).read_bytes(), KINDS[".html"])
    return served


def palette() -> str:
    """The colours of the report and of courses as a style sheet, for light and dark."""
    light, night = (f"{a.strip()};{b.strip()}" for a, b in ((LIGHT, SCENERY), (DARK, SCENERY_DARK)))
    return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{night}}}}}\n"
