"""HTML and SVG elements; every value that is not :class:`Html` is escaped."""

import html
import math
from collections.abc import Sequence
from typing import Any

VOID = ("meta", "br")
"""Elements without an end tag."""


class Html(str):
    """Text that is markup."""

    __slots__ = ()


def escaped(value: Any) -> Html:
    """A value as :class:`Html`: markup unchanged, a sequence joined, None empty."""
    if isinstance(value, Html):
        return value
    if value is None:
        return Html()
    if isinstance(value, (list, tuple)):
        return Html("".join(map(escaped, value)))
    return Html(html.escape(str(value)))


def tag(name: str, /, *children: Any, **attributes: Any) -> Html:
    """An element.

    Args:
        name: of the element.
        children: markup, text, or lists of them.
        attributes: ``class_`` gives ``class``, ``stroke_width`` ``stroke-width``; those that
            are None are left out. Numbers are written short.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{escaped(children)}</{name}>")


def short(value: Any) -> str:
    """A number with at most two decimals, for coordinates; anything else as text."""
    if not isinstance(value, float) and not hasattr(value, "dtype"):
        return str(value)
    return f"{round(float(value), 2):.12g}"


def number(value: float | None, digits: int = 3) -> Html:
    """A rounded number, its exact value in ``<data value>``; None as a dash."""
    if value is None:
        return tag("span", "–", title="undefined")
    shown = f"{value:,}" if isinstance(value, int) else plain(value, digits)
    return tag("data", shown, value=repr(value))


def plain(value: float, digits: int = 3) -> str:
    """A float with ``digits`` significant digits; scientific notation only for extreme sizes."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-4 <= abs(value) < 1e6:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        text = f"{value:.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.{digits}g}"


def percent(share: float, decimals: int = 0) -> str:
    """A share as text, such as ``31 %``; small ones get a decimal."""
    if 0 < share < 0.1 and not decimals:
        decimals = 1
    return f"{100 * share:.{decimals}f} %"


def table(
    head: Sequence[Any] | None,
    rows: Sequence[Sequence[Any]],
    caption: str | None = None,
    class_: str | None = None,
) -> Html:
    """A table that scrolls sideways if it does not fit; the first column holds row headers."""
    body = [
        tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]])
        for row in rows
    ]
    parts = [
        caption and tag("caption", caption),
        head and tag("thead", tag("tr", [tag("th", cell, scope="col") for cell in head])),
        tag("tbody", body),
    ]
    name = html.unescape(str(caption or "table"))
    return tag(
        "div",
        tag("table", parts, class_=class_),
        **{"class_": "scroll", "role": "region", "aria_label": name, "tabindex": "0"},
    )


def picture(
    size: tuple[float, float], title: str, description: str, *children: Any, **look: Any
) -> Html:
    """An ``<svg>`` with a title and a description for screen readers.

    Args:
        size: (width, height) of its own units.
        title: a few words.
        description: a sentence.
        children: elements.
        look: attributes of the element.
    """
    width, height = (short(float(side)) for side in size)
    return tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        role="img",
        **look,
    )
