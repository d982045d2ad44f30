"""The browser of the tests: where there is none, CI fails and other machines skip."""

import os

import pytest

from proxylab.bench.browser import chromium
from proxylab.errors import UsageError


def chromium_or_skip():
    """Yield a browser."""
    try:
        with chromium() as browser:
            yield browser
    except UsageError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI runs the tests of the page: {error}", pytrace=False)
        pytest.skip(str(error))
