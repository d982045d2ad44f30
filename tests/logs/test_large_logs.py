"""Ten million rows fit in 2 GiB, in each format; slow, since writing them takes a while."""

import subprocess
import sys

import pytest

ROWS, EPISODE = 10_000_000, 50

WRITE = """
import sys, duckdb
path, rows, episode = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
form = {"parquet": "parquet", "csv": "csv, header", "jsonl": "json"}[path.rsplit(".", 1)[1]]
duckdb.sql(f'''copy (select 'big' as policy, i // {episode} as episode,
    hash(i // {episode}) % 1000000 as level_seed, i % {episode} as step,
    hash(i) % 900 as state_id, hash(2 * i) % 4 as action,
    (i % {episode} = {episode} - 1) as terminated from range({rows}) t(i))
    to '{path}' (format {form})''')
"""

READ = """
import resource, sys
from proxylab.logs import read_log
(read,) = read_log(sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(read.num_steps, read.num_episodes, int(read.action.sum()), peak)
"""


def run(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_ten_million_rows_fit_in_two_gibibytes(tmp_path, ending):
    path = tmp_path / f"big.{ending}"
    run(WRITE, path, ROWS, EPISODE)
    steps, episodes, actions, peak = run(READ, path)  # nothing else on stdout
    assert (int(steps), int(episodes)) == (ROWS, ROWS // EPISODE)
    assert int(actions) == pytest.approx(1.5 * ROWS, rel=0.01)
    assert float(peak) < 2
