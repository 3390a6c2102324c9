"""Commands beside each other: what is done is kept, what fails is reported and stops nothing."""

import threading

from imavatar.comparison.tasks import Task, run_tasks


def script(tmp_path, name: str, text: str) -> str:
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    return str(path)


def test_outcomes_of_tasks(tmp_path):
    good = script(tmp_path, "good", "import os, sys; open(sys.argv[1], 'w').write(os.environ['OMP_NUM_THREADS'])")
    bad = script(tmp_path, "bad", "import sys; print('error: no space left', file=sys.stderr); sys.exit(2)")
    idle = script(tmp_path, "idle", "")
    files = [tmp_path / f"out_{k}" for k in range(2)]
    tasks = [
        Task("fails", ((bad,), (good, str(tmp_path / "never"))), lambda: False),
        Task("works", ((good, str(files[0])), (good, str(files[1]))), files[1].is_file),
        Task("idle", ((idle,),), lambda: False),
        Task("kept", ((bad,),), lambda: True),
    ]
    told = []
    outcomes = run_tasks(tasks, lambda name: tmp_path / "logs" / f"{name}.log", jobs=2, tell=told.append)
    assert [o.state for o in outcomes] == ["failed", "done", "failed", "kept"]
    assert {o.name for o in told} == {"fails", "works", "idle", "kept"}
    assert "exit code 2: error: no space left" in outcomes[0].message and "fails.log" in outcomes[0].message
    assert not (tmp_path / "never").exists()
    assert files[1].read_text() == "1"
    assert "left nothing behind" in outcomes[2].message
    assert (tmp_path / "logs" / "fails.log").read_text().startswith("$ python ")


def test_as_many_run_beside_each_other_as_asked_for(tmp_path):
    wait = script(
        tmp_path,
        "wait",
        "import pathlib, sys, time\n"
        "here, other = map(pathlib.Path, sys.argv[1:])\n"
        "here.touch()\n"
        "end = time.time() + 60\n"
        "while not other.exists() and time.time() < end: time.sleep(0.05)\n"
        "sys.exit(0 if other.exists() else 1)\n",
    )
    a, b = tmp_path / "a", tmp_path / "b"
    tasks = [Task("a", ((wait, str(a), str(b)),), a.exists), Task("b", ((wait, str(b), str(a)),), b.exists)]
    outcomes = run_tasks(tasks, lambda name: tmp_path / f"{name}.log", jobs=2, tell=lambda outcome: None)
    assert [o.state for o in outcomes] == ["done", "done"]
    assert threading.active_count() < 20
