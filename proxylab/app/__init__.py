"""The local page: levels to change, agents to watch on them, and what the detector says."""

from proxylab.app.serving import App, app

__all__ = ["App", "app"]
