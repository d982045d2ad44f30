"""What the certificate says of real agents, at a small size."""

from proxylab.bench.certificate import Cleared, main, study


def test_shares_are_shares_and_no_hack_off_the_support_is_cleared(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    rows = study("maze-corner", episodes=12)
    assert [(row.cells, row.kind, row.agents) for row in rows] == [
        ("state-actions", "honest", 10),
        ("state-actions", "proxy", 20),
        ("states", "honest", 10),
        ("states", "proxy", 20),
    ]
    for row in rows:
        assert isinstance(row, Cleared)
        assert 0 <= row.at_50 <= row.at_90 <= row.on_support <= 1
        assert row.coverage <= 1 + 1e-9
    honest, proxy = rows[:2]
    assert proxy.coverage < 0.9 < honest.coverage
    main("maze-corner", episodes=12)
    assert "state-actions" in capsys.readouterr().out
