# Sourced by the other scripts: makes `.venv` in the project and installs into it.
# Usage: setup_env EXTRAS, for example: setup_env preprocess,log

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv"
python="$venv/bin/python"

fail() {
    echo "error: $*" >&2
    exit 2
}

usable_python() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        usable_python "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.10-3.13"
        command -v "$PYTHON"
        return
    fi
    for candidate in python3 python3.11 python3.12 python3.13 python3.10; do
        if command -v "$candidate" >/dev/null 2>&1 && usable_python "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.10-3.13 found; install one, or name it: PYTHON=/path/to/python bash $0"
}

make_venv() {
    local base
    base="$(find_python)" || exit 2
    "$base" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$base lacks the venv module; install it (Debian, Ubuntu: python3-venv) or set PYTHON"
    rm -rf "$venv"
    "$base" -m venv "$venv" || fail "$venv could not be made"
}

pip_install() {
    "$python" -m pip install --quiet --disable-pip-version-check "$@" ||
        fail "the installation failed; check the network and the message above, then call this again"
}

setup_env() {
    local extras="$1" stamp="$venv/.installed" wanted
    # What is installed is known by the files that say so: a second call installs nothing.
    wanted="$(cat "$root/pyproject.toml" "$root/constraints.txt" | cksum) $extras"
    if [ -x "$python" ] && [ -f "$stamp" ] && grep -qxF "$wanted" "$stamp"; then
        return
    fi
    # A venv without pip is what an interrupted first call leaves.
    { usable_python "$python" && "$python" -m pip --version >/dev/null 2>&1; } || make_venv
    if [ -n "${TORCH_INDEX_URL:-}" ]; then
        (cd "$root" && pip_install -c constraints.txt --index-url "$TORCH_INDEX_URL" torch)
    fi
    (cd "$root" && pip_install -c constraints.txt -e ".[$extras]")
    { grep -F "${wanted% *}" "$stamp" 2>/dev/null || true; echo "$wanted"; } >"$stamp.new"
    mv "$stamp.new" "$stamp"
}
