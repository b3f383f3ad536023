"""What users see of a stage: its command line, and an error as a single line that says what is wrong and what to do."""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What the machine refuses, as opposed to what a programme gets wrong.
MACHINE = (
    *DISK_FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG,
    errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ELOOP,
)  # fmt: skip


class UserError(Exception):
    """An error that the user can mend.

    Its text names the file or key, what was found, what was expected, what to do.
    """


class Unavailable(UserError):
    """Data that cannot be reached from here. The text names every place tried, and what to do."""


class WrongContent(Exception):
    """Raised by whoever reads an original; its text says what was found and what was expected."""


def lookup(group: Mapping[str, T], name: str, where: str) -> T:
    """Return group[name]. Raises UserError that lists the known names if params.yaml has no such name under `where`."""
    if name not in group:
        raise UserError(f"params.yaml: {where} has no {short(name)}; known are {', '.join(group) or 'none'}")
    return group[name]


def short(value: object, most: int = 60) -> str:
    """Return repr(value), cut in its middle after `most` characters."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 20]}…{text[-15:]}"


def one_line(text: str, most: int = 2000) -> str:
    """Return `text` fit for a message: no line breaks or control characters, at most `most` characters."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: 2 * most]).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def machine_says(error: OSError) -> str:
    """Return one line for an OSError: the file and the reason."""
    name = error.filename2 or error.filename  # of a renaming, what should have got the name
    where = f"{name}: " if name else ""
    return one_line(f"{where}{error.strerror or error}; what had finished is kept, run the same command again to go on")


def arguments(about: str, **names: str) -> argparse.ArgumentParser:
    """Return the parser of a stage's command line. about: its docstring. names: its positional arguments -> help."""
    found = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, what in names.items():
        found.add_argument(name, help=what)
    return found


def run_main(main: Callable[[], None]) -> None:
    """Run a stage's `main`. What a user can mend is one line on stderr and exit status 1; Ctrl-C exits with 130."""
    try:
        main()
    except UserError as error:
        message = str(error)
    except BrokenPipeError:  # the reader has seen enough, such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in MACHINE:
            raise
        message = machine_says(error)
    except MemoryError:
        message = "out of memory; close other programmes, or ask for less in params.yaml"
    except KeyboardInterrupt:
        print("Interrupted. What had finished is kept; run the same command again to continue.", file=sys.stderr)
        sys.exit(130)
    else:
        return
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)
