"""Speed on this machine: every figure beside a peer that is measured in the same run."""

from proxylab.bench.run import BENCHES, bench

__all__ = ["BENCHES", "bench"]
