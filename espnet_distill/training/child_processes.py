"""One line and exit status 2 also where ESPnet trains in processes of its own."""

import multiprocessing
import sys

from torch.multiprocessing.spawn import ProcessExitedException

from espnet_distill.errors import ConfigError


class ExitsInOneLine:
    """What a task of ESPnet's inherits first, so that its processes end as one does.

    A process that ESPnet has spawned writes its line itself; the one that waits for it
    passes on its exit status.
    """

    @classmethod
    def main(cls, *args, **kwargs):
        try:
            return super().main(*args, **kwargs)
        except ProcessExitedException as error:
            if error.exit_code != 2:
                raise
            sys.exit(2)

    @classmethod
    def main_worker(cls, args):
        try:
            super().main_worker(args)
        except ConfigError as error:
            if multiprocessing.parent_process() is None:
                raise
            lines = (f"espnet_distill: error: {fault}\n" for fault in error.faults)
            sys.stderr.write("".join(lines))  # at once, beside other processes
            sys.exit(2)
