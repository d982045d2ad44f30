"""JSON that no later step can stumble over."""

import pytest

from proxylab.storage.strict_json import MAX_DIGITS, parse_json


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1" + "0" * 400, "too large"),
        ("[-1" + "0" * 400 + "]", "too large"),
        ("9" * 5000, "too large"),
        ("1e400", "too large"),
        ('{"a": [-1e400]}', "too large"),
        ("NaN", "no number"),
        ('{"a": 1, "a": 1}', "twice"),
        ("[" * 100_000, "nested"),
        (r'"\ud800"', "surrogate"),
        (r'{"\uDFFF": 1}', "surrogate"),
        (r'["\udc00\ud800"]', "surrogate"),
        ("\ud800", "Expecting value"),
        ('"\ud800"', "surrogate"),
        (b'"\xed\xa0\x80"', "utf-8"),
        ('"x"'.encode("utf-16"), "utf-8"),
    ],
)
def test_what_is_refused(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_json(text)


def test_what_is_read():
    assert parse_json(r'{"a": ["\ud83d\ude00", 1e300, -7]}') == {"a": ["😀", 1e300, -7]}
    assert parse_json("\ufeff[1]".encode()) == [1]
    assert float(parse_json("9" * MAX_DIGITS)) == pytest.approx(1e300)
