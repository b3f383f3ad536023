"""Do the tests notice a wrong number? Each mutant of mutations.py is put into a copy of the tree; its tests must fail.

    python tests/mutants.py [--only PATTERN] [--jobs N] [--table FILE] [--list]

PATTERN is a regular expression of a mutant's name or file. Prints a line a mutant; exit status 1 if one survived. All
take hours: with --table the lines are added to FILE, and mutants that were killed according to it are not tried again.
A mutant whose text is not in the code any more, or is there twice, stops the script: correct mutations.py.
"""

import argparse
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIMIT = 300  # CPU seconds of a mutant's tests: a loop that never ends is noticed too
LOADED = """
numpy scipy.stats pandas yaml pydantic tqdm pytest sklearn.metrics sklearn.svm sklearn.naive_bayes sklearn.linear_model
sklearn.model_selection sklearn.feature_extraction.text torch torch._dynamo torch.func transformers tokenizers jieba
transformers.models.bert.modeling_bert transformers.models.albert.modeling_albert cleanlab.filter
""".split()
QUIET = ("-q", "-x", "-p", "no:cacheprovider", "-o", "addopts=", "--tb=no", "-W", "ignore")


@dataclass(frozen=True)
class Mutant:
    """file: below the root. old: text that is there once. tests: files in tests/, or one test of a file."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def applied(mutant: Mutant, root: Path) -> str:
    """The file's text with the mutation. Raises SystemExit if the old text is not there exactly once.

    Spaces, line breaks and a last comma do not count: a formatter may move them.
    """
    text = (root / mutant.file).read_text(encoding="utf-8") if (root / mutant.file).exists() else ""
    tokens = [re.sub(r"^(\\[)\]}])", r",?\\s*\1", re.escape(token)) for token in re.findall(r"\w+|[^\w\s]", mutant.old)]
    found = list(re.finditer(r"\s*".join(tokens), text))
    if len(found) != 1:
        sys.exit(
            f"mutations.py: {mutant.name}: expected its text once in {mutant.file}, "
            f"found {len(found)} times: {mutant.old!r}"
        )
    return text[: found[0].start()] + mutant.new.strip() + text[found[0].end() :]


def copy_tree(folder: Path) -> Path:
    """What git knows of the working tree, and what it does not ignore."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    for name in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def _pytest(tree: Path, tests: tuple[str, ...], said: Path, limit: int) -> None:
    """In a forked process that has the libraries already, but nothing of this project."""
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    with said.open("w") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree / "src")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # two mutants of one second and length would share the compiled file
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(tree / "src"), str(tree / "tests")]
    import pytest

    os._exit(int(pytest.main([*QUIET, *(f"tests/{test}" for test in tests)])))


def run_tests(tree: Path, tests: tuple[str, ...], limit: int = LIMIT) -> tuple[int | None, str]:
    """pytest's exit status (None: it took too long), and the test that failed or the last line.

    limit: CPU seconds; ten times as long may pass on the clock, for tests that wait or a machine that is busy.
    """
    said = tree.with_suffix(".out")
    process = multiprocessing.get_context("fork").Process(target=_pytest, args=(tree, tests, said, limit))
    process.start()
    process.join(10 * limit)
    if process.is_alive():
        process.kill()
        process.join()
    status = None if process.exitcode in (-signal.SIGKILL, -signal.SIGXCPU) else process.exitcode
    lines = said.read_text(errors="replace").splitlines() or [""]
    failed = next((line for line in lines if line.startswith(("FAILED", "ERROR"))), lines[-1])
    return status, re.sub(r"^(FAILED|ERROR) (tests/)?| - .*", "", failed)[:110]


def try_mutant(mutant: Mutant, tree: Path) -> tuple[bool, str, float]:
    """Whether it was killed, by which test, in how many seconds. The tree is afterwards what it was."""
    started, path = time.perf_counter(), tree / mutant.file
    kept = path.read_bytes()
    path.write_text(applied(mutant, tree), encoding="utf-8")
    try:
        status, by = run_tests(tree, mutant.tests)
    finally:
        path.write_bytes(kept)
    if status not in (0, 1, 2, None):  # 2: a module could not even be imported
        sys.exit(f"{mutant.name}: pytest ended with {status}: {by}")
    return status != 0, "too slow" if status is None else by, time.perf_counter() - started


def main() -> None:
    from mutations import MUTANTS

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="regular expression of a name or file")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--table", type=Path, help="a file of this script's lines, to be continued")
    parser.add_argument("--list", action="store_true", help="check the texts and run nothing")
    arguments = parser.parse_args()
    for mutant in MUTANTS:
        applied(mutant, ROOT)
    if len({mutant.name for mutant in MUTANTS}) < len(MUTANTS):
        sys.exit("mutations.py: two mutants have one name")
    chosen = [mutant for mutant in MUTANTS if re.search(arguments.only, f"{mutant.name} {mutant.file}")]
    if not chosen:
        sys.exit(f"--only {arguments.only}: no name, space, file of a mutant matches; --list prints them all")
    if arguments.list:
        print("\n".join(f"{mutant.name:24} {mutant.file}" for mutant in chosen), f"\n{len(chosen)} mutants")
        return
    known = arguments.table.read_text().splitlines() if arguments.table and arguments.table.exists() else []
    dead = {line.split()[1] for line in known if line.startswith("killed ")}
    before, chosen = len(chosen), [mutant for mutant in chosen if mutant.name not in dead]
    for name in LOADED:
        __import__(name)
    sys.modules["torch"].set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees = [copy_tree(Path(folder) / f"tree{number}") for number in range(arguments.jobs)]
        every = tuple(sorted({test for mutant in chosen for test in mutant.tests}))
        status, by = run_tests(trees[0], every, 10 * LIMIT)
        if status != 0:
            sys.exit(f"without a mutant the tests must pass; {by} does not")

        def one(mutant: Mutant) -> bool:
            tree = trees.pop()
            killed, by, seconds = try_mutant(mutant, tree)
            trees.append(tree)
            word, why = ("killed", by) if killed else ("SURVIVED", " ".join(mutant.tests))
            where = mutant.file.removeprefix("src/lcm/")
            line = f"{word:9}{mutant.name:25} {where:30}{seconds:5.0f} s  {why}"
            print(line, flush=True)
            if arguments.table:
                with open(arguments.table, "a") as file:
                    file.write(line + "\n")
            return killed

        with ThreadPoolExecutor(arguments.jobs) as pool:
            killed = list(pool.map(one, chosen))
    survivors = [mutant.name for mutant, dead in zip(chosen, killed, strict=True) if not dead]
    all_killed = before - len(survivors)
    print(f"\n{all_killed} of {before} killed ({100 * all_killed / max(1, before):.1f} %)", end="")
    print(f"; survived: {', '.join(survivors)}" if survivors else "")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
