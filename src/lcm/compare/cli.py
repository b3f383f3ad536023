"""The command `lcm`."""

import argparse
import sys
from pathlib import Path

DESCRIPTION = """Which training target is best for your labelled texts: cross-entropy, label smoothing, square loss,
pruning of doubtful labels, or label confusion learning (LCM)? Trains two small networks with each target on the same
random splits of your table, and two linear models beside them. Says which differences are more than chance. Needs
neither a GPU nor a download."""

EXAMPLES = """examples:
  lcm compare reviews.csv --text title body --label stars
  lcm compare titles.txt --text 1 --label 0 --language zh      columns by number: the file has no header
  lcm compare reviews.csv --test unseen.csv                    columns named text and label; the test rows are given
  lcm compare --train a.csv --dev b.csv --test c.csv --minutes 30
  lcm compare reviews.csv --minutes 60                         continues where the last call stopped

The page is lcm-compare/index.html. Beside it: results.json, runs.csv (every run), doubtful.csv (rows that are
probably mislabelled). Runs are kept in lcm-compare/.runs; delete the folder to start anew."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="lcm", description="Label confusion learning. `lcm compare -h` says more.",
        epilog="example:\n  lcm compare reviews.csv --text title body --label stars",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    compare = commands.add_parser(
        "compare", help="which training target is best for a table of labelled texts (10 minutes)",
        description=DESCRIPTION, epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_arguments(compare)
    given = parser.parse_args(arguments)
    command = ["lcm", *(sys.argv[1:] if arguments is None else arguments)]
    try:
        from lcm.compare.command import run
        from lcm.errors import run_main
    except KeyboardInterrupt:  # these imports take a second or two
        sys.exit(130)
    except ModuleNotFoundError as error:
        print(
            f"error: lcm compare needs {error.name}, which is not installed; pip install 'lcm-study[compare]'",
            file=sys.stderr,
        )
        sys.exit(1)
    run_main(lambda: run(given, command))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add, column = parser.add_argument, "a name from the header, or a number from 0 for a file without a header"
    add("table", nargs="?", type=Path, help="a .csv, .tsv, .txt (tabs) or .jsonl file, .gz too")
    add(
        "--text", nargs="+", default=["text"], metavar="COLUMN",
        help=f"columns that make the text: {column} (default: text)",
    )  # fmt: skip
    add("--label", default="label", metavar="COLUMN", help=f"the column of the class: {column} (default: label)")
    add(
        "--language", choices=("en", "zh", "other"), default="en",
        help="en: words of the letters a to z; zh: jieba's words; other: words of any letters and digits (default: en)",
    )  # fmt: skip
    add("--encoding", metavar="NAME", help="of the files, such as cp1252, gb18030 or utf_16 (default: UTF-8)")
    add(
        "--bad-rows", choices=("error", "drop"), default="error",
        help="what to do with a row that cannot be read (default: error)",
    )  # fmt: skip
    add("--train", type=Path, metavar="FILE", help="rows to train on, in place of TABLE")
    add("--dev", type=Path, metavar="FILE", help="rows to choose epochs and settings by; default: drawn from TABLE")
    add("--test", type=Path, metavar="FILE", help="rows to test on; default: drawn from TABLE")
    add(
        "--model", nargs="+", choices=("bag", "cnn", "lstm", "minilm"), default=["bag", "cnn"],
        help="networks (default: bag cnn). minilm, a pre-trained encoder, needs lcm-study[bert] and hours on a CPU",
    )  # fmt: skip
    add(
        "--all-targets", action="store_true",
        help="also try the other targets of the study: generalised cross-entropy, bootstrapping, ...",
    )  # fmt: skip
    add(
        "--minutes", type=float, default=10, metavar="M",
        help="minutes to train; the first runs show how many splits fit (default: 10)",
    )  # fmt: skip
    add("--splits", type=int, default=10, metavar="N", help="at most so many random splits (default: 10)")
    add(
        "--out", type=Path, default=Path("lcm-compare"), metavar="FOLDER",
        help="where the page goes (default: lcm-compare)",
    )  # fmt: skip
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one (default: auto)")
    add("--processes", type=int, default=0, metavar="N", help="processes on a CPU; 0: one for each core (default: 0)")
