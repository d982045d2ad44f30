"""The local web page: editable levels, agents running on them, and the detector's verdicts."""

from proxylab.app.serving import App, app

__all__ = ["App", "app"]
