#!/usr/bin/env bash
# Turns videos of one person into a subject folder. Usage:
#   bash scripts/preprocess.sh --subject NAME --video A.mp4 [--video B.mp4 ...] [--size 512 --fps 25 --focal PX]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
previous=""
for argument in "$@"; do
    if [ "$previous" = --video ] && [ ! -f "$argument" ]; then
        fail "$argument does not exist, expected a video file"
    fi
    previous="$argument"
done
setup_env preprocess,synthetic,log
"$python" "$root/scripts/fetch_assets.py"
"$python" "$root/scripts/build_head.py"
exec "$python" "$root/scripts/preprocess.py" "$@"
