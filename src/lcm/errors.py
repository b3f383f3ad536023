"""The one exception that users see: a single line that says what is wrong and what to do next."""

import sys
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


class UserError(Exception):
    """An error that the user can mend.

    Its text names the file or key, what was found, what was expected, what to do.
    """


class Unavailable(UserError):
    """Data that cannot be reached from here. The text names every place tried, and what to do."""


def lookup(group: Mapping[str, T], name: str, where: str) -> T:
    """Return group[name]. Raises UserError that lists the known names if params.yaml has no such name under `where`."""
    if name not in group:
        raise UserError(f"params.yaml: {where} has no {name!r}; known are {', '.join(group) or 'none'}")
    return group[name]


def run_main(main: Callable[[], None]) -> None:
    """Run a stage's `main`. A UserError becomes one line on stderr and exit status 1, Ctrl-C exit status 130."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Interrupted. Finished runs are saved; run the same command again to continue.", file=sys.stderr)
        sys.exit(130)
