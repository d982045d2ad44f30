"""Benchmarks: every figure is compared with a peer measured in the same run."""

from proxylab.bench.run import BENCHES, bench

__all__ = ["BENCHES", "bench"]
