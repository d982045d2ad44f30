"""The benchmark of detectors: policies, labels, scores, tables.

``policies``  policies, levels and rollouts · ``labels``  by the true reward, which no other
module here reads · ``scoring``  scores from Episodes · ``tables``, ``controls``, ``targets``  rows
from scores and labels · ``freeze``  settings fixed in advance, chosen on ``development``
policies · ``run``  the whole benchmark, for ``proxylab bench detectors``.
"""
