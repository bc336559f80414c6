"""The one exception a user sees."""


class ConfigError(ValueError):
    """Input that cannot work: one line that names the file, the key and the remedy.

    The command line and the runner print it on stderr and exit with status 2.
    """
