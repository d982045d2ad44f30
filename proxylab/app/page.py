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
    """The colours of the report as a style sheet, for light and dark."""
    dark = f"@media (prefers-color-scheme:dark){{:root{{{DARK.strip()}}}}}"
    return f":root{{{LIGHT.strip()}}}\n{dark}\n"
