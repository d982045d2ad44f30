"""Large logs: time and memory of ``detect`` against the number of rows."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from proxylab.plots.style import BLUE, GREY, VERMILLION, new_figure, styled


@styled
def time_and_memory(
    rows: Sequence[int],
    seconds: Sequence[float],
    cpu_seconds: Sequence[float],
    resident_bytes: Sequence[int],
) -> Figure:
    """Two panels, of one point per log: time in s, and resident memory in GiB."""
    figure = new_figure(7.2, 3.2)
    left, right = figure.subplots(1, 2)
    left.plot(rows, seconds, "o-", color=BLUE, label="wall clock")
    left.plot(rows, cpu_seconds, "s--", color=VERMILLION, label="processors together")
    left.axhline(300, color=GREY, linestyle=":", linewidth=1, label="aim: 300 s at 10⁸")
    left.set(xscale="log", yscale="log", xlabel="rows of the log", ylabel="time (s)")
    low = 10 ** np.floor(np.log10(min(*seconds, *cpu_seconds, 300)))
    left.set_ylim(low, 2 * max(*seconds, *cpu_seconds, 300))
    left.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    left.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    left.minorticks_off()
    left.legend(loc="lower right")
    gibibytes = [value / 2**30 for value in resident_bytes]
    right.plot(rows, gibibytes, "o-", color=BLUE, label="all processes")
    right.axhline(2, color=GREY, linestyle=":", linewidth=1, label="aim: 2 GiB")
    right.set(xscale="log", xlabel="rows of the log", ylabel="resident memory (GiB)", ylim=(0, 2.2))
    right.legend()
    return figure
