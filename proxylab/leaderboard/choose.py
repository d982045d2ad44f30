"""Choose and freeze: ``python -m proxylab.leaderboard.choose`` runs the development benchmark.

All development policies are scored by every candidate; the choice and all settings go to
``frozen.json`` before any test policy is scored.
"""

import json

from proxylab.console import track
from proxylab.leaderboard.freeze import CANDIDATES, freeze
from proxylab.leaderboard.run import bench_detectors


def main() -> None:
    """Choose on the development policies, all of them, and write it down."""
    found = bench_detectors(stage="development", detector=CANDIDATES, track=track)
    print(json.dumps(freeze(found.tables["detectors"])["chosen"], indent=1))


if __name__ == "__main__":
    main()
