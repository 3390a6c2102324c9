#!/usr/bin/env bash
# Installs Blender, Chromium and three packages of npm, and runs the tests of exported avatars and of the viewer in them.
# Usage: bash scripts/test_viewers.sh [pytest's arguments]; IMAVATAR_VIEWED=FILE.glb tests another file.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$root"
setup_env test,export,browser,viewer
"$python" scripts/fetch_assets.py --only three
missing=()
command -v blender >/dev/null || missing+=(blender python3-numpy)
command -v chromium >/dev/null || missing+=(chromium)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
if [ ${#missing[@]} -gt 0 ]; then
    sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" ||
        fail "could not install ${missing[*]}; install them and call this again"
fi
mkdir -p build/viewers
cp tests/viewers/package.json tests/viewers/package-lock.json build/viewers/
# The lock has the sum of every package, and no registry's address: npm's own settings say where they come from. It is
# made by: npm install --legacy-peer-deps --ignore-scripts --package-lock-only --omit-lockfile-registry-resolved
npm ci --ignore-scripts --loglevel=error --no-fund --no-audit --legacy-peer-deps --prefix build/viewers ||
    fail "the packages of npm could not be installed; check the network and the message above"
exec "$python" -m pytest -m slow tests/viewers "$@"
