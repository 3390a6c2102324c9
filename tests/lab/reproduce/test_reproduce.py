"""The command of the whole comparison: what it refuses, and a tiny one that is made, broken and made whole again."""

import logging
from pathlib import Path

import pytest

from imavatar_lab.cli.reproduce import reproduce_main
from requires_mitsuba import requires_mitsuba

TINY = [
    *("--subjects", "1", "--minutes", "0.02", "--size", "64", "--supersample", "1", "--jobs", "2"),
    *("--frames", "train=4,validation=1,test_interpolation=2,test_extrapolation=4,test_views=1"),
]


def tables_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "tables").glob("[!.]*")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "imavatar,nerface"], "--methods: unknown nerface; known: imavatar"),
        (["--frames", "training=3"], "'training=3' is not SEQUENCE=N, N from 1 to 1000000; sequences are train"),
        (["--frames", "train=0"], "'train=0' is not SEQUENCE=N"),
        (["--minutes", "0"], "--minutes: expected a number above 0, at most 1e+06, not '0'"),
    ],
)
def test_impossible_requests_are_refused(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        reproduce_main(["--small", "--out", str(tmp_path / "out"), *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@requires_mitsuba
def test_a_comparison_goes_on_where_it_was_and_reports_what_fails(tmp_path, capsys, caplog):
    pytest.importorskip("matplotlib")
    pytest.importorskip("snakemake")
    caplog.set_level(logging.INFO)
    out = tmp_path / "out"
    command = [*TINY, "--out", str(out), "--methods", "imavatar,flame_mesh"]
    reproduce_main(command)
    assert "subject_00_imavatar: done" in caplog.text
    tables = tables_of(out)
    assert len(tables) == 27 and (out / "report.html").stat().st_size > 50_000
    run = out / "runs" / "subject_00" / "imavatar" / "train"
    trained = (run / "train" / "checkpoints" / "ModelParameters" / "latest.pth").stat().st_mtime_ns
    next((run / "eval" / "test_views").glob("epoch_*/protocol_paper.json")).unlink()
    caplog.clear()
    reproduce_main(command)
    assert "flame_mesh: kept" in caplog.text and "imavatar: done" in caplog.text
    assert (run / "train" / "checkpoints" / "ModelParameters" / "latest.pth").stat().st_mtime_ns == trained
    assert tables_of(out) == tables
    broken = out / "runs" / "subject_00" / "c_net" / "train"
    broken.parent.mkdir()
    broken.write_text("a file where a folder should be")
    caplog.clear()
    with pytest.raises(SystemExit):
        reproduce_main([*command[:-1], "imavatar,c_net,flame_mesh"])
    assert "subject_00_c_net: failed" in caplog.text and "flame_mesh: kept" in caplog.text
    assert "subject_00_c_net" in capsys.readouterr().err
    assert "subject_00_c_net" in (out / "RESULTS.md").read_text()
    assert "subject_00_c_net" in (out / "report.html").read_text()
    assert tables_of(out) == tables
    broken.unlink()
    caplog.clear()
    reproduce_main([*command[:-1], "imavatar,c_net,flame_mesh"])
    assert "subject_00_c_net: done" in caplog.text and "imavatar: kept" in caplog.text
    assert "failed" not in caplog.text and "Failed" not in (out / "RESULTS.md").read_text()
    assert b"C-Net" in tables_of(out)["paper_test_views.md"]
