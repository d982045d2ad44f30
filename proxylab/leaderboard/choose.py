"""Choose and freeze: ``python -m proxylab.leaderboard.choose`` runs the development benchmark.

Every candidate scores all development policies; the choice and all settings are written to
``frozen.json`` before any test policy is scored.
"""

import json

from proxylab.console.output import track
from proxylab.leaderboard.freeze import CANDIDATES, freeze
from proxylab.leaderboard.run import bench_detectors


def main() -> None:
    """Choose on all development policies and write ``frozen.json``."""
    leaderboard = bench_detectors(stage="development", detector=CANDIDATES, track=track)
    print(json.dumps(freeze(leaderboard.tables["detectors"])["chosen"], indent=1))


if __name__ == "__main__":
    main()
