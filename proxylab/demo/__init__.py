"""The demo: train a proxy agent, evaluate it, run the detector on it, draw the figures."""

from proxylab.demo.run import DEMOS, DemoResult, demo

__all__ = ["DEMOS", "DemoResult", "demo"]
