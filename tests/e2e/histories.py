"""Which histories there are to try: those of tests/data, and of $ANNALS_CORPUS where it is set."""

import glob
import hashlib
import os

FOLDER = os.environ["ANNALS_HISTORIES"]
CORPUS = os.environ.get("ANNALS_CORPUS", "")


def find_files():
    files = glob.glob(FOLDER + "/*.json")
    if CORPUS:
        files += glob.glob(CORPUS + "/*.json") + glob.glob(CORPUS + "/extras/*.json")
    return sorted(files)


def execution_name(path):
    """The name that `annals import --arn-prefix` gives to a file's execution."""
    name = os.path.basename(path)[:-len(".json")]
    if len(name) > 80:
        name = name[:71] + "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
    return name


FILES = {execution_name(path): path for path in find_files()}
