"""Environment variables of programs that run without the plugin.

`python3 -m espnet_distill.utils.environment` prints them as `export` lines.
"""

import os
import shlex

from espnet_distill.utils.locales import LOCPATH, provide_locale
from espnet_distill.voice.espeak import DATA, LIBRARY, provide_espeak

if __name__ == "__main__":
    provide_espeak()
    provide_locale()
    for name in filter(os.environ.get, (LIBRARY, DATA, LOCPATH)):
        print(f"export {name}={shlex.quote(os.environ[name])}")
