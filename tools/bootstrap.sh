#!/bin/sh
# Makes .venv with exactly what requirements.lock names, and this project itself. Needs Python 3.11 to 3.14 with
# venv and pip; uses uv where it is on the PATH. `make` calls it when the lock is newer than the last good install.
# With the argument `docs` it adds what builds the documentation (requirements-docs.lock) to a .venv that is there.
set -eu

venv=.venv
stamp=$venv/.installed
# The one that is tried most comes first. Of a newer one not every package in the lock has a build yet.
pythons=${PYTHON:-python3.13 python3.12 python3.11 python3.14 python3}

runs() { # is $1 a Python that starts (a shim may not), that the lock is for, and that can make environments?
    "$1" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

version_of() { # its version, for what is refused; nothing if it does not start
    "$1" -c 'import sys; print("%s is Python %d.%d." % (sys.argv[1], *sys.version_info[:2]))' "$1" 2>/dev/null || true
}

can_pip() {
    "$1" -c 'import ensurepip' >/dev/null 2>&1
}

find_python() {
    for candidate in $pythons; do
        if runs "$candidate" && { [ -n "$uv" ] || can_pip "$candidate"; }; then
            echo "$candidate"
            return
        fi
    done
    for candidate in $pythons; do
        if runs "$candidate"; then
            echo "$candidate has no ensurepip, which makes environments with pip. Install it" \
                "(Debian and Ubuntu: apt install python3-venv) and run again." >&2
            exit 1
        fi
    done
    found=$(for candidate in $pythons; do version_of "$candidate"; done)
    echo "No Python 3.11 to 3.14 was found (looked for: $pythons)." ${found:+"$found"} \
        "Install one, or name it: make PYTHON=/path/to/python3" >&2
    exit 1
}

make_venv() { # keep an environment that works, make any other anew
    if runs "$venv/bin/python" && { [ -n "$uv" ] || "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
        return
    fi
    python=$(find_python)
    echo "Making $venv with $("$python" --version)."
    if [ -n "$uv" ]; then
        rm -rf "$venv"
        "$uv" venv --quiet --no-project --python "$("$python" -c 'import sys; print(sys.executable)')" "$venv"
    else
        "$python" -m venv --clear "$venv"
    fi
}

uv_lock() { # exactly what the file $1 names
    "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --require-hashes --only-binary :all: \
        --compile-bytecode -r "$1"
}

pip_lock() {
    $pip install --quiet --progress-bar off --no-compile --no-deps --require-hashes --only-binary :all: -r "$1"
}

install_with_uv() {
    uv_lock requirements.lock
    "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --offline -e .
    "$uv" pip check --quiet --python "$venv/bin/python"
}

install_with_pip() {
    # pip compiles one file after the other; compileall uses every core.
    pip_lock requirements.lock
    $pip install --quiet --no-deps --no-build-isolation --no-index -e .
    # Some packages carry files of other Python versions, which do not compile; nothing imports those.
    "$venv/bin/python" -m compileall -q -q -j 0 "$venv/lib" >/dev/null 2>&1 || true
    $pip check >/dev/null || { $pip check >&2; exit 1; }
}

cd "$(dirname "$0")/.."
uv=$(command -v uv || true)
pip="$venv/bin/python -m pip --disable-pip-version-check --no-input"
if [ "${1:-}" = docs ]; then
    if [ -n "$uv" ]; then uv_lock requirements-docs.lock; else pip_lock requirements-docs.lock; fi
    touch "$venv/.docs_installed"
    exit
fi
rm -f "$stamp"
make_venv
count=$(grep -c '^[a-z0-9]' requirements.lock)
if [ -n "$uv" ]; then
    echo "Installing about $count packages with uv; this happens once."
    install_with_uv
else
    echo "Installing about $count packages with pip; this takes two to three minutes, once."
    install_with_pip
fi
touch "$stamp"
echo "Installed in $venv."
