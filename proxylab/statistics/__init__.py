"""Numba kernels and resampling over ragged episodes; every draw takes a Generator.

``divergences``  distances of categorical rows · ``visitation``  discounted
occupancy · ``returns``  discounted returns · ``resampling``  bootstrap and Wilson
intervals · ``sequences``  where paired trajectories part · ``conformal``
p-values, false-discovery rate and realised false-alarm rates.
"""
