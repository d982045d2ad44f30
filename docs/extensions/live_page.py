"""The page of ``proxylab app`` as one file beside the built pages, and a link to it.

``MARKER`` in the source of a page becomes the link when it is read; the file is written
when the build is done.
"""

from pathlib import Path

MARKER = "<!-- page: docs/extensions/live_page.py links it here -->"
NAME = "maze-corner.html"
LINK = f'```{{raw}} html\n<p><a href="{NAME}">Try it here: two mice, no server.</a></p>\n```'


def linked(text):
    """The source of a page with the link in the marker's place."""
    return text.replace(MARKER, LINK)


def _read(_app, _page, source):
    source[0] = linked(source[0])


def _write(app, exception):
    if exception is not None or app.builder.format != "html":
        return
    from proxylab.app import app as write_page

    path = Path(app.outdir) / NAME
    write_page(tasks=("maze-corner",), export=path)
    path.chmod(0o644)  # for whoever serves the documentation


def setup(app):
    """Register with Sphinx."""
    app.connect("source-read", _read)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
