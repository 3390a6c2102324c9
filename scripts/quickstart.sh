#!/usr/bin/env bash
# From nothing to an animated avatar: of the built-in synthetic subject, or of the person in a video.
set -Eeuo pipefail

usage() {
    cat <<TEXT
Usage: bash scripts/quickstart.sh [--video FILE] [--subject NAME]

Sets up the environment, fetches what the project does not ship, trains an avatar, evaluates it on
held-out frames and animates it. Without --video the subject is rendered. What is done already is
skipped. NAME defaults to "synthetic", or to the name of the video.
TEXT
}

video="" subject=""
while [ $# -gt 0 ]; do
    case "$1" in
    --video | --subject)
        [ $# -ge 2 ] || { echo "error: $1 needs a value" >&2 && exit 2; }
        if [ "$1" = --video ]; then video="$2"; else subject="$2"; fi
        shift 2
        ;;
    --help | -h) usage && exit 0 ;;
    *) echo "error: unknown argument $1" >&2 && usage >&2 && exit 2 ;;
    esac
done
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
if [ -n "$video" ]; then
    [ -f "$video" ] || fail "$video does not exist, expected a video file"
    video="$(cd "$(dirname "$video")" && pwd)/$(basename "$video")"
fi
cd "$root"

conf=confs/fast.conf
method=fast
if [ -n "$video" ]; then
    conf=confs/fast_video.conf
    method=fast_video
    if [ -z "$subject" ]; then
        subject="$(basename "$video")"
        subject="$(printf '%s' "${subject%.*}" | tr -c 'A-Za-z0-9_-' '_')"
    fi
fi
subject="${subject:-synthetic}"
case "$subject" in
*[!A-Za-z0-9_-]*) fail "--subject is $subject, expected letters, digits, _ and - alone" ;;
esac
if [ -n "$video" ] && [ -d "data/experiments/$subject/quick/train" ]; then
    # Begun by version 0.1.0, which goes on.
    conf=confs/quick_video.conf
    method=quick
fi
run="data/experiments/$subject/$method/train"

number=0
step() {
    number=$((number + 1))
    printf '\n[%d/7] %s (%d:%02d)\n' "$number" "$1" $((SECONDS / 60)) $((SECONDS % 60))
}
trap 'echo "error: step $number stopped; the message above says why. Calling this again goes on from here" >&2' ERR

step "environment"
setup_env preprocess,synthetic,log,evaluation
step "assets"
"$python" scripts/fetch_assets.py
step "head model"
"$python" scripts/build_head.py
step "data: $subject"
if [ -n "$video" ]; then
    "$python" scripts/preprocess.py --subject "$subject" --video "$video"
else
    "$python" scripts/make_synthetic.py --subject "$subject"
fi
step "training: $conf"
"$python" scripts/exp_runner.py --conf "$conf" --subject "$subject" --is_continue
step "evaluation on held-out frames"
epoch="$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["epochs"])' "$run/train/finished.json")"
results="$run/eval/test/epoch_$epoch"
if [ ! -f "$results/metrics.json" ]; then
    "$python" scripts/exp_runner.py --conf "$conf" --subject "$subject" --is_eval
fi
step "animation"
animation="$run/animation_$epoch.mp4"
if [ ! -f "$animation" ]; then
    "$python" scripts/animate.py --conf "$conf" --subject "$subject" --motion sweep --out "$animation"
fi

printf '\nfinished after %d:%02d\n\n' $((SECONDS / 60)) $((SECONDS % 60))
cat "$results/metrics.txt"
cat <<TEXT

comparison (ground truth | rendering | normals): $root/$results/comparison.mp4
animation of new expressions:                    $root/$animation
mesh:                                            $root/$results/mesh.ply
metrics:                                         $root/$results/metrics.json
report of the whole run, for a browser:          $root/$run/report.html

Next: scripts/view.py shows the avatar live, scripts/export_web.py writes a page of it, scripts/export_avatar.py a file
for Blender and game engines: docs/export.md.
TEXT
if [ -n "$video" ]; then
    echo "tracking overlay:                                $root/data/datasets/$subject/overlay.mp4"
fi
