"""Strict JSON: no duplicate keys, no NaN, no unbounded nesting.

Values that cause errors later are refused as well: numbers that no float can represent, and
lone surrogates, which no terminal and no file can encode.
"""

import json
import math
import re
from typing import Any, NoReturn

MAX_DIGITS = 300
"""Of a whole number, so that it is finite as a float."""

SURROGATE = re.compile(r"\\u[dD][89abAB]", re.ASCII)
"""Escape of a surrogate in a JSON text; those of whole pairs match too."""


def parse_json(raw: str | bytes) -> Any:
    """The value of a JSON text (str, or bytes in UTF-8).

    Raises:
        ValueError: invalid JSON, a duplicate key, a number that is NaN, infinite or too long,
            a lone surrogate, or too deep nesting.
    """
    text = raw if isinstance(raw, str) else str(raw, "utf-8-sig")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_bounded,
        )
        if SURROGATE.search(text) or not isinstance(raw, bytes):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("a text holds half a surrogate pair") from None
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key comes twice")
    return record


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _bounded(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number is too large")
    return int(digits)
