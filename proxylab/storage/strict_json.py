"""JSON as its standard has it: no key twice, no NaN, no nesting without end."""

import json


def parse_json(raw):
    """The value of a JSON text (str or bytes).

    Raises:
        ValueError: it is no JSON, a key comes twice, a number is NaN or infinite, or it is
            nested too deeply.
    """
    try:
        return json.loads(raw, object_pairs_hook=_without_repeats, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _without_repeats(pairs):
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key comes twice")
    return record


def _refuse(constant):
    raise ValueError(f"{constant} is no number of JSON")
