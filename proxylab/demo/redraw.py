"""Draw the demo's figures again from its tables: ``python -m proxylab.demo.redraw``."""

import argparse
import sys
from collections.abc import Sequence

from proxylab.demo.figures import draw_figures
from proxylab.demo.tables import read_tables


def main(argv: Sequence[str] | None = None) -> int:
    """Redraw each file of tables into ``--out``, as ``demo-<task>-<figure>``; 0 when done."""
    parser = argparse.ArgumentParser(prog="python -m proxylab.demo.redraw", description=__doc__)
    parser.add_argument("tables", nargs="+", help="tables.json of a demo")
    parser.add_argument("--out", default="results/figures", help="folder of the figures")
    chosen = parser.parse_args(argv)
    for path in chosen.tables:
        tables = read_tables(path)
        for figure in draw_figures(tables, f"{chosen.out}/demo-{tables['task']}-"):
            print(figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
