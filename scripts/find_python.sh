#!/usr/bin/env bash
# Prints the first Python 3.12 or 3.13 that can make a virtual environment and
# compile extensions: $PYTHON if set, else PATH, pyenv, uv. Each is run, because
# a name on PATH may be a shim for a version that is not selected.
set -uo pipefail
shopt -s nullglob

probe='
import ensurepip, pathlib, sys, sysconfig, venv
header = pathlib.Path(sysconfig.get_path("include"), "Python.h")
if (3, 12) <= sys.version_info[:2] < (3, 14) and header.exists():
    print(sys.executable)
'

candidates() {
    if [ -n "${PYTHON:-}" ]; then
        echo "${PYTHON}"
        return
    fi
    printf '%s\n' python3.12 python3.13 python3 python
    local pyenv=${PYENV_ROOT:-${HOME:-}/.pyenv}/versions
    local version
    for version in 3.12 3.13; do
        printf '%s\n' "${pyenv}/${version}"*[!t]/bin/python
        uv python find --system --no-project "${version}" 2>/dev/null
    done
}

while read -r candidate; do
    found=$("${candidate}" -c "${probe}" 2>/dev/null </dev/null) || continue
    if [ -n "${found}" ]; then
        echo "${found}"
        exit 0
    fi
done < <(candidates)
exit 1
