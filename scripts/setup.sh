#!/usr/bin/env bash
# Sets up all that the recipes and the tests need: .venv and ESPnet's recipe tree.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

number=0
step() {
    number=$((number + 1))
    title=$1
    echo "[${number}/4] ${title}"
}
fail() {
    echo "set-up: step ${number} (${title}) failed: $1, then run make again" >&2
    exit 1
}

step "C++ compiler"
${CXX:-c++} -x c++ -fsyntax-only - <<< "#include <cmath>" \
    || fail "install one (apt install g++) or name it in CXX"

step "virtual environment .venv"
if .venv/bin/python -c \
    "import sys, pip; sys.exit(not (3, 12) <= sys.version_info[:2] < (3, 14))" \
    2>/dev/null
then
    echo "      there already"
else
    python=$(scripts/find_python.sh) \
        || fail "found no Python 3.12 or 3.13 with venv and Python.h on PATH, in pyenv\
 or in uv; install one (pyenv install 3.12, uv python install 3.12, or apt install\
 python3.12-venv python3.12-dev) or name it in PYTHON"
    echo "      from ${python}"
    "${python}" -m venv --clear .venv \
        || fail "see the lines above; make room on the disk or name another PYTHON"
fi

step "install espnet_distill, ESPnet and PyTorch"
echo "      several GB: takes minutes"
.venv/bin/python -m pip install -e ".[test,eval,demo]" \
    || fail "see pip's lines above; check the network, the index and the disk's room"

step "ESPnet's recipe tree"
root=$(.venv/bin/espnet-distill espnet-root) \
    || fail "do as the line above says"
echo "      ${root}"
