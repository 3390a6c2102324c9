#!/usr/bin/env bash
# The paper's comparison on synthetic subjects: data, all methods, tables, plots and a report in results/.
set -Eeuo pipefail

# See `python scripts/reproduce.py --help` for the options; called again, it goes on where it was.
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
out="$PWD"
cd "$root"
setup_env preprocess,synthetic,log,evaluation,lab
"$python" scripts/fetch_assets.py
"$python" scripts/build_head.py
cd "$out"
exec "$python" "$root/scripts/reproduce.py" "$@"
