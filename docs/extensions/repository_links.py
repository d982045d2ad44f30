"""Links to Markdown files outside ``docs/`` lead to the page that shows them.

A file that GitHub shows as well links to ``../envs/README.md``; in the built pages that
file has a page of its own, or no page at all. Targets that are no pages (tables, figures)
stay what they are: files to download.
"""

import re

PAGES = {
    "envs/README.md": "environments/index.md",
    "experiments/README.md": "claims.md",
    "README.md": "index.md",
    "CONTRIBUTING.md": "extending/index.md",
    "CHANGELOG.md": "changelog.md",
}
"""Markdown file, from the repository's root: page, from ``docs/``."""


def with_links_to_pages(text, docname):
    """The text of a page, its links to the files of ``PAGES`` turned into links to pages."""
    depth = docname.count("/")
    for file, page in PAGES.items():
        outside = re.escape("../" * (depth + 1) + file)
        text = re.sub(rf"\]\({outside}(#[^)]*)?\)", f"]({'../' * depth}{page})", text)
    return text


def _on_source_read(app, docname, source):
    source[0] = with_links_to_pages(source[0], docname)


def setup(app):
    """Register with Sphinx."""
    app.connect("source-read", _on_source_read)
    return {"parallel_read_safe": True}
