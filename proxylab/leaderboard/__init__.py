"""The benchmark of detectors: policies, labels, scores, tables.

``suite``  who plays, and on which levels · ``labels``  by the rollouts truth, which nothing else
here sees · ``scoring``  Episodes in, scores out · ``tables``, ``controls``, ``targets``  scores
and labels in, rows out · ``freeze``  what was fixed beforehand, chosen on ``development``
policies · ``run``  all of it, for ``proxylab bench detectors``.
"""
