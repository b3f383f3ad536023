"""Stage `fetch`: download and verify originals -> data/raw/<name>/

An original that cannot be reached leaves data/raw/<name>/unavailable.txt, which says what was tried and what to do. The
later stages pass it on. Without a name, the script tries again for all originals that are missing in this way.

Example: python pipeline/fetch.py 20ng
"""

from lcm.corpora.catalogue import RAW, fetch
from lcm.errors import Unavailable, arguments, lookup, run_main
from lcm.files import GAP, gap, write_text
from lcm.params import load_params


def main() -> None:
    parser = arguments(__doc__)
    what = "a name below `originals` in params.yaml, such as 20ng"
    parser.add_argument("names", nargs="*", metavar="name", help=what)
    names = parser.parse_args().names
    params = load_params()
    for name in names:
        lookup(dict.fromkeys(params.originals), name, "originals")
    for name in names or [name for name in params.originals if gap(RAW / name)]:
        folder = RAW / name
        try:
            lines = fetch(name, folder)
        except Unavailable as error:
            if params.execution.missing == "error":
                raise
            write_text(folder / GAP, f"{error}\n")
            lines = [f"{name}: not available: {error}"]
        else:
            (folder / GAP).unlink(missing_ok=True)
        print("\n".join(lines))


if __name__ == "__main__":
    run_main(main)
