#!/usr/bin/env bash
# Sets up the environment and runs the checks and tests. Usage: bash scripts/test.sh [--slow] [pytest's arguments]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$root"
setup_env test,preprocess,synthetic,log,evaluation,lab,docs,export,viewer
"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
if [ "${1:-}" = "--slow" ]; then
    shift
    exec "$python" -m pytest -rs -m "slow or not slow" "$@"
fi
exec "$python" -m pytest -rs "$@"
