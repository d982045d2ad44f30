"""The local web pages: agents on editable levels with verdicts, and clips for people to rate."""

from proxylab.app.rating_serving import Rated, rate
from proxylab.app.serving import App, app

__all__ = ["App", "Rated", "app", "rate"]
