"""The whole story in one call: train a proxy agent, evaluate it, catch it, draw it."""

from proxylab.demo.run import DEMOS, DemoResult, demo

__all__ = ["DEMOS", "DemoResult", "demo"]
