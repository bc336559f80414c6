"""A UTF-8 locale for ESPnet's validate_data_dir.sh.

The script runs `grep` in C.UTF-8 if `locale -a` prints that name, else in en_US.UTF-8.
Debian prints C.utf8 and has no en_US.UTF-8, so all letters outside ASCII are refused as
non-printable.
"""

import os
import subprocess
from pathlib import Path

from espnet_distill.utils.files import cache_folder

LOCPATH = "LOCPATH"
C, ENGLISH = "C.UTF-8", "en_US.UTF-8"
SYSTEM = Path("/usr/lib/locale")


def provide_locale() -> None:
    """Set LOCPATH to a folder with an en_US.UTF-8, if the script would find no locale.

    `locale -a` does not search LOCPATH, setlocale does. Without a UTF-8 locale in
    /usr/lib/locale, nothing is set.
    """
    if os.environ.get(LOCPATH) or _has_locale():
        return
    for locale in (SYSTEM / "C.utf8", *sorted(SYSTEM.glob("*.utf8"))):
        if locale.is_dir():
            os.environ[LOCPATH] = str(_link(locale))
            return


def _has_locale() -> bool:
    try:
        done = subprocess.run(["locale", "-a"], capture_output=True, text=True)
    except OSError:
        return True  # no glibc
    names = done.stdout.split()
    return any(C in name or name in (ENGLISH, "en_US.utf8") for name in names)


def _link(locale: Path) -> Path:
    """Link a UTF-8 locale as en_US.UTF-8; return the folder."""
    folder = cache_folder() / "locale"
    folder.mkdir(parents=True, exist_ok=True)
    link, beside = folder / ENGLISH, folder / f".{os.getpid()}"
    if not link.exists():
        beside.symlink_to(locale)
        os.replace(beside, link)
    return folder
