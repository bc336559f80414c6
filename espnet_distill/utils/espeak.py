"""Locate an espeak-ng library for phonemizer, where the system has none.

`python3 -m espnet_distill.utils.espeak` prints `export` lines, for programs that run
without the plugin.
"""

import importlib.util
import os
import shlex
import shutil

LIBRARY, DATA = "PHONEMIZER_ESPEAK_LIBRARY", "ESPEAK_DATA_PATH"


def provide_espeak() -> None:
    """Point phonemizer to the library of espeakng-loader, if there is no other."""
    if os.environ.get(LIBRARY) or shutil.which("espeak-ng"):
        return
    if importlib.util.find_spec("espeakng_loader") is None:
        return
    import espeakng_loader

    os.environ[LIBRARY] = espeakng_loader.get_library_path()
    os.environ[DATA] = espeakng_loader.get_data_path()


if __name__ == "__main__":
    provide_espeak()
    for name in filter(os.environ.get, (LIBRARY, DATA)):
        print(f"export {name}={shlex.quote(os.environ[name])}")
