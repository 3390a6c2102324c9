#!/usr/bin/env bash
# Sets up the environment and runs the checks and tests. Usage: bash scripts/test.sh [--slow] [pytest's arguments]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$root"
setup_env test,preprocess,synthetic,log,evaluation,lab,docs,export,viewer
"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
"$venv/bin/pyright" --pythonpath "$python"
# As many processes as cores, up to eight, with a thread each: twice as fast as one process with several threads. A file
# stays in one process, for what its tests share.
export OMP_NUM_THREADS=1
parallel=(-n auto --maxprocesses 8 --dist loadfile)
if [ "${1:-}" = "--slow" ]; then
    shift
    exec "$python" -m pytest -rs "${parallel[@]}" -m "slow or not slow" "$@"
fi
exec "$python" -m pytest -rs "${parallel[@]}" "$@"
