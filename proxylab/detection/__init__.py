"""Detection of policies that pursue a proxy, from episodes without any true reward.

``scores``  the table of detectors · ``calibration``  reference and calibration
policies · ``verdict``  the rules · ``judge``  suspects and trusted episodes in, a
:class:`~proxylab.detection.records.Detection` out. Nothing here runs an environment
or loads an agent; ``proxylab.screening.run`` does, and calls :func:`judge`.
"""

from proxylab.detection.judge import judge
from proxylab.detection.records import Detection
from proxylab.detection.scores.registry import DEFAULT_DETECTOR, SCORES, USUAL, find_score

__all__ = ["DEFAULT_DETECTOR", "SCORES", "USUAL", "Detection", "find_score", "judge"]
