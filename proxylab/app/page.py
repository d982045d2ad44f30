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


def page_files() -> dict[str, tuple[bytes, str]]:
    """{path: (bytes, media type)} of all static files."""
    served = {
        f"/static/{entry.name}": (entry.read_bytes(), KINDS[f".{entry.name.rsplit('.')[-1]}"])
        for entry in STATIC.iterdir()
        if entry.name != "page.html"
    }
    served["/static/palette.css"] = (palette().encode(), KINDS[".css"])
    served["/"] = ((STATIC / "page.html").read_bytes(), KINDS[".html"])
    return served


def palette() -> str:
    """The colours of the report as a style sheet, for light and dark."""
    dark = f"@media (prefers-color-scheme:dark){{:root{{{DARK.strip()}}}}}"
    return f":root{{{LIGHT.strip()}}}\n{dark}\n"
