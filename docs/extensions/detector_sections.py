"""The sections of detectors.md, from the table ``SCORES`` and the docstrings of its classes.

``MARKER`` in the source of a page is replaced when it is read, so that the page shows
what the code says and nothing else.
"""

import inspect
import re
import textwrap
from dataclasses import fields
from itertools import groupby

MARKER = "<!-- detectors: docs/extensions/detector_sections.py writes them here -->"

ACCESS = {
    "W": "action probabilities",
    "Q": "sampled actions",
    "L": "logs of states and actions",
    "P": "logs with the proxy reward",
}
"""Access code: what a detector with it needs to see of a suspect."""


def detectors_as_markdown(scores, on_request, default):
    """Markdown of all detectors: a table of links, then a section for each class.

    Args:
        scores: {name: detector}, as ``proxylab.detection.scores.registry.SCORES``.
        on_request: names of those that are computed only where they are asked for.
        default: name of the one that decides.
    """
    families = [list(family) for _, family in groupby(scores.values(), type)]
    rows = [_row(score, on_request, default) for score in scores.values()]
    head = ["| detector | needs | unit | computed |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, "", *map(_section, families)])


def _row(score, on_request, default):
    when = "on request" if score.name in on_request else "always"
    if score.name == default:
        when += ", and decides"
    link = f"[`{score.name}`](#{anchor(score.name)})"
    return f"| {link} | {score.access}: {ACCESS[score.access]} | {score.unit} | {when} |"


def anchor(name):
    """Where a detector's section is: the target of a link within the pages."""
    return "detector-" + name.replace("_", "-")


def _section(family):
    """One class: a heading with its detectors' names, how they differ, its docstring."""
    kind = type(family[0])
    targets = "\n".join(f"({anchor(score.name)})=" for score in family)
    heading = "## " + ", ".join(f"`{score.name}`" for score in family)
    code = f"Code: `{kind.__module__}.{kind.__qualname__}`"
    text = docstring_as_markdown(kind)
    source = [] if "Source:" in text else [f"Source: {family[0].source}."]
    parts = [targets, heading, *_settings(family), text, *source, code]
    return "\n\n".join(parts) + "\n"


def _settings(family):
    """A table of the values in which the detectors of one class differ, if there are several."""
    names = [field.name for field in fields(family[0]) if field.name != "name"]
    names = [n for n in names if len({repr(getattr(s, n)) for s in family}) > 1]
    if not names:
        return []
    lines = ["| detector | unit | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for score in family:
        values = [f"`{getattr(score, name)}`" for name in names]
        lines.append(f"| `{score.name}` | {score.unit} | " + " | ".join(values) + " |")
    return ["\n".join(lines)]


def docstring_as_markdown(kind):
    """A Google-style docstring as Markdown: formulas become blocks of text, attributes a list."""
    text, _, attributes = inspect.getdoc(kind).partition("\nAttributes:\n")
    blocks = [_block(block) for block in re.split(r"\n\s*\n", text.strip("\n"))]
    attributes = re.sub(r"\A    name: .*\n?", "", attributes)  # every detector has one
    if attributes:
        blocks.append("Settings:\n\n" + _attributes(attributes))
    return "\n\n".join(blocks)


def _block(block):
    lines = block.split("\n")
    if all(line.startswith("    ") for line in lines):
        return f"```text\n{textwrap.dedent(block)}\n```"
    return "\n".join(_roles_as_code(item) for item in _items(lines))


def _items(lines):
    """Lines joined to paragraphs; a line that begins with a dash begins another."""
    items = []
    for line in lines:
        if line.startswith("- ") or not items:
            items.append(line)
        else:
            items[-1] += " " + line.strip()
    return items


def _attributes(text):
    lines = re.sub(r"\n\s{2,}(?=\S)", " ", textwrap.dedent(text).strip()).split("\n")
    return "\n".join("- **{}**: {}".format(*_roles_as_code(line).split(": ", 1)) for line in lines)


def _roles_as_code(text):
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")


def _on_source_read(app, docname, source):
    if MARKER in source[0]:
        from proxylab.detection.scores.registry import ON_REQUEST, SCORES
        from proxylab.detection.settings import DEFAULT_DETECTOR

        sections = detectors_as_markdown(SCORES, ON_REQUEST, DEFAULT_DETECTOR)
        source[0] = source[0].replace(MARKER, sections)
        app.env.note_dependency(inspect.getfile(next(iter(map(type, SCORES.values())))))


def setup(app):
    """Register with Sphinx."""
    app.connect("source-read", _on_source_read)
    return {"parallel_read_safe": True}
