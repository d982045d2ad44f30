"""The headless Chromium of ``bench app`` and of the tests of the page."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from proxylab.errors import UsageError

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def chromium() -> Generator[Any]:
    """Playwright's handle of a headless Chromium.

    Raises:
        UsageError: there is no Chromium or no playwright; says how to install it.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise UsageError("no chromium here: install it (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright  # an optional extra
    except ImportError:
        raise UsageError("the browser is driven by playwright: pip install playwright") from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()
