"""The options of distill.sh, for its steps in Python."""

import argparse
import re

from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.run_options import add_options, parse_options

from .mini_an4 import ROOT

SCRIPTS = ROOT / "egs/TEMPLATE/tts1"


def options_of(script):
    """Names and defaults of the variables at the head of a script."""
    head = (SCRIPTS / script).read_text().partition("help_message=")[0]
    found = dict(re.findall(r'^(\w+)=("[^"]*"|\S*)', head, re.MULTILINE))
    found.pop("shared", None)
    return found


def run_options(**changes):
    """Options of `espnet-distill recipe-step`: the defaults of distill.sh, changed."""
    defaults = options_of("distill.sh") | {"num_threads": "1"}
    values = {
        "shared": str(ROOT / "conf"),
        **{
            name: value.strip('"').replace("${shared}", str(ROOT / "conf"))
            for name, value in defaults.items()
        },
        **changes,
    }
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]


def layout(**changes):
    """The layout of a run with the defaults of distill.sh, changed."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    return Layout(parse_options(parser.parse_args(run_options(**changes))))
