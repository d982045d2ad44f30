"""Numba kernels and resampling over ragged episodes; every draw takes a Generator.

``divergences``  distances of categorical rows · ``visitation``  discounted
occupancy · ``returns``  discounted returns · ``sequences``  where paired trajectories
part · ``paths``  lengths, loops, turns · ``two_sample``  MMD and energy distance by
episode blocks, permuted · ``resampling``  bootstrap and Wilson intervals · ``streams``
a random stream a replicate · ``conformal``  p-values, false-discovery rate and realised
false-alarm rates · ``planning``  distances and plans on maps.
"""
