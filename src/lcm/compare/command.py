"""`lcm compare`, from arguments to page."""

import argparse
import math
import os
import re
import sys

from lcm.compare import page, plan, summary, table, train
from lcm.compare.advice import advice
from lcm.errors import UserError
from lcm.params import Column, Execution
from lcm.training.pool import choose_device


def run(given: argparse.Namespace, command: list[str]) -> None:
    """Raises UserError, one line, for whatever the person can mend."""
    request = requested(given)
    os.environ["LCM_RUN_STORE"] = str((given.out / ".runs").absolute())  # of this process and its workers
    try:
        documents = table.read(request, given.out / ".runs" / "tables")
    except UserError as error:
        raise UserError(for_command_line(str(error))) from None
    methods = plan.methods(given.all_targets, documents)
    _say(f"{len(documents.texts)} rows in {len(documents.data.corpus.names)} classes: {_classes(documents)}")
    for note in documents.notes:
        _say(f"note: {note}")
    device = choose_device(Execution(device=given.device, processes=given.processes))
    models = tuple(dict.fromkeys(given.model))
    comparison = plan.Comparison(documents, models, methods, device, given.processes)
    schedule = train.run(comparison, given.minutes)
    found = summary.summarise(comparison, schedule)
    found.advice = advice(found)
    path = page.write(found, given.out, command)
    print(page.terminal(found))
    print(f"\n{path}")


def requested(given: argparse.Namespace) -> table.Request:
    """The files and columns that the arguments name. Raises UserError for arguments that do not fit together."""
    files = {"table": given.table, "train": given.train, "dev": given.dev, "test": given.test}
    files = {part: path for part, path in files.items() if path is not None}
    if ("table" in files) == ("train" in files):
        raise UserError("expected one table to train on: lcm compare TABLE, or lcm compare --train FILE")
    if "dev" in files and "test" not in files:
        raise UserError("--dev is given, --test is not; give both, or neither for random splits")
    if given.splits < 1:
        raise UserError(f"--splits {given.splits}: expected 1 or more")
    if not 0 < given.minutes < math.inf:
        raise UserError(f"--minutes {given.minutes:g}: expected a number above 0")
    if given.processes < 0:
        raise UserError(f"--processes {given.processes}: expected 0 (one a core) or more")
    text, label = tuple(column(name) for name in given.text), column(given.label)
    if len({type(name) for name in (*text, label)}) > 1:
        raise UserError(
            f"--text {' '.join(given.text)} --label {given.label}: "
            "expected only names, or only numbers (of a file without a header)"
        )
    return table.Request(files, text, label, given.language, given.splits, given.encoding, given.bad_rows == "drop")


FOR_COMMAND_LINE = (  # what the readers say to somebody who has a params.yaml; what it is called here
    (r"set `encoding: (\S+)`", r"give --encoding \1"),
    (r"set bad_rows to drop", "leave such rows out with --bad-rows drop"),
    (r"name another `encoding`", "name another encoding with --encoding"),
    (r"name the columns: `label: (.*)`, and so for text,", r"name the columns: --label \1, and so for --text"),
    (r"correct text and label of this corpus", "correct --text and --label"),
    (r"( for this corpus)? in params\.yaml", ""),
)


def for_command_line(message: str) -> str:
    """A message of the readers, in the words of the command line."""
    for pattern, words in FOR_COMMAND_LINE:
        message = re.sub(pattern, words, message)
    return message


def column(name: str) -> Column:
    return int(name) if name.isdecimal() else name


def _classes(documents: table.Documents) -> str:
    names = documents.data.corpus.names
    shown = [name if len(name) <= 30 else name[:27] + "..." for name in names[:12]]
    return ", ".join(shown) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
