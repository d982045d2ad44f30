"""Numba kernels and resampling over ragged episodes; every draw takes a Generator.

``divergences``  distances of categorical rows · ``visitation``  discounted
occupancy · ``returns``  discounted returns · ``sequences``  first divergence of
paired trajectories · ``paths``  lengths, loops, turns · ``two_sample``  MMD and
energy distance by episode blocks, permuted · ``resampling``  bootstrap and Wilson
intervals · ``failures``  calibration and risk-coverage of predicted failures · ``streams``  one
random stream per replicate · ``conformal``  p-values,
false-discovery rate and realised false-alarm rates · ``planning``  distances and plans on maps.
"""

from proxylab.storage.user_cache import keep_kernels

keep_kernels()  # before numba loads
