"""The kernels of ``proxylab.statistics`` against SciPy and NumPy on the same numbers."""

import numpy as np

from proxylab.bench.timing import against, rate


def bench_statistics():
    """One row a kernel."""
    rng = np.random.default_rng(0)
    return [
        _divergence_row(rng),
        _visitation_row(rng),
        _returns_row(rng),
        _bootstrap_row(rng),
    ]


def _divergence_row(rng):
    from scipy.spatial.distance import jensenshannon

    from proxylab.statistics.divergences import row_divergences

    p, q = rng.dirichlet(np.ones(4), (2, 20_000))
    mine = rate(lambda: row_divergences(p, q), len(p))
    columns = p.T.copy(), q.T.copy()  # its fastest layout: distributions along the first axis
    theirs = rate(lambda: jensenshannon(*columns), len(p))
    what = "five divergences of categorical rows (the peer: one)"
    return against(what, "rows/s", mine, "scipy jensenshannon", theirs)


def _ragged(rng, episodes=2_000, longest=100):
    """(steps, offsets int64[E+1]) of episodes of random lengths."""
    lengths = rng.integers(1, longest, episodes)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return int(offsets[-1]), offsets


def _visitation_row(rng):
    from proxylab.statistics.visitation import discounted_visitation

    steps, offsets = _ragged(rng)
    states, discount, num_states = rng.integers(0, 81, steps), 0.99, 81
    lengths = np.diff(offsets)
    episode = np.repeat(np.arange(len(lengths)), lengths)

    def numpy_way():
        weights = discount ** (np.arange(steps) - np.repeat(offsets[:-1], lengths))
        cells = episode * num_states + states
        table = np.bincount(cells, weights, len(lengths) * num_states)
        table = table.reshape(len(lengths), num_states)
        return table / table.sum(axis=1, keepdims=True)

    mine = rate(lambda: discounted_visitation(states, offsets, num_states, discount), steps)
    what = "discounted visitation of each episode"
    return against(what, "steps/s", mine, "numpy bincount", rate(numpy_way, steps))


def _returns_row(rng):
    from scipy.signal import lfilter

    from proxylab.statistics.returns import discounted_returns

    steps, offsets = _ragged(rng)
    rewards, discount = rng.random(steps), 0.99
    parts = np.split(rewards, offsets[1:-1])

    def scipy_way():
        return [lfilter([1], [1, -discount], part[::-1])[-1] for part in parts]

    mine = rate(lambda: discounted_returns(rewards, offsets, discount), steps)
    what = "discounted returns of ragged episodes"
    return against(what, "steps/s", mine, "scipy lfilter", rate(scipy_way, steps))


def _bootstrap_row(rng):
    from scipy.stats import bootstrap as scipy_bootstrap

    from proxylab.statistics.resampling import bootstrap

    values, replicates = rng.random(500), 2_000

    def scipy_way():
        return scipy_bootstrap(
            (values,), np.mean, n_resamples=replicates, method="percentile", rng=1
        )

    mine = rate(lambda: bootstrap(values, np.random.default_rng(1)), replicates)
    what = "bootstrap of the mean of 500 values"
    return against(what, "resamples/s", mine, "scipy bootstrap", rate(scipy_way, replicates))
