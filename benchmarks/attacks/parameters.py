"""Names that a shell or a file system takes for more, and files that are no parameters."""

import os
from collections.abc import Callable
from pathlib import Path

import yaml

from attacks.base import MB, ROOT, Attack, add, expect_error, one_line
from lcm.errors import UserError
from lcm.files import make_gap, new_folder, read_yaml
from lcm.params import load_params


def committed() -> dict:
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def parameters(change: Callable[[dict], None]) -> Attack:
    def attack(folder: Path) -> None:
        content = committed()
        change(content)
        (folder / "params.yaml").write_text(yaml.safe_dump(content, allow_unicode=True))
        try:
            load_params(folder / "params.yaml")
        except UserError as error:
            one_line(str(error), 1000)
        else:
            raise AssertionError("no error")

    return attack


EVIL = (
    "",
    ".",
    "..",
    "../../src",
    "/etc",
    "x;touch PWNED;",
    "$(touch PWNED)",
    "`touch PWNED`",
    "a|b",
    "a&b",
    "a b",
    "a'b",
    'a"b',
    "-rf",
    "a" * 300,
    "a\0b",
    "a\nb",
    "~",
    "*",
    "a/b",
    "a\\b",
    "é",
    "名",
)
GROUPS = {"corpora": {"path": "m.csv"}, "skipgram": None, "encoders": {"package": "x"}, "models": None}
for name in EVIL:
    for group, value in GROUPS.items():
        add(
            "names",
            f"{group}.{name[:20]!r}",
            parameters(
                lambda content, group=group, value=value, name=name: content[group].update(
                    {name: value or next(iter(content[group].values()))}
                )
            ),
        )
    add("names", f"originals {name[:20]!r}", parameters(lambda content, name=name: content["originals"].append(name)))


def replaced(path: Callable[[Path], Path]) -> Attack:
    def attack(folder: Path) -> None:
        (folder / "here/data/corpus").mkdir(parents=True)
        (folder / "src").mkdir()
        (folder / "src/precious").write_text("precious")
        os.chdir(folder / "here")

        def replace() -> None:
            with new_folder(path(folder)):
                pass

        expect_error(replace)
        expect_error(lambda: make_gap(path(folder), "why"))
        assert (folder / "src/precious").exists() and (folder / "here/data/corpus").exists()

    return attack


for what, path in {
    "upwards": lambda folder: Path("data/corpus") / "../../../src",
    "the working folder": lambda folder: folder / "here",
    "its parent": lambda folder: folder,
    "a dot": lambda folder: Path("."),
    "the root": lambda folder: Path("/"),
}.items():
    add("names", f"new_folder of {what}", replaced(path))


def yaml_file(content: str | bytes) -> Attack:
    def attack(folder: Path) -> None:
        path = folder / "params.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        for read in (read_yaml, load_params):
            try:
                read(path)
            except UserError as error:
                one_line(str(error), 1000)

    return attack


for what, content in {
    "latin-1": "a: é\n".encode("latin-1"),
    "UTF-16": "a: 1\n".encode("utf-16"),
    "NUL": b"a: \0\n",
    "nothing": "",
    "a list": "- 1\n",
    "a text": "hello",
    "a value that holds itself": "a: &a [*a]\n",
    "3000 levels": "".join(" " * n + "a:\n" for n in range(3000)),
    "a key twice": "lcm: 1\nlcm: 2\n",
    "a value of 1 MB": "lcm: " + "x" * MB,
    "an object": "a: !!python/object/apply:os.system [touch PWNED]\n",
    "a tab": "\ta: 1\n",
    "an unclosed quote": 'a: "x\n',
    "an unknown alias": "a: *x\n",
    "a number of 5000 digits": "a: " + "9" * 5000,
}.items():
    add("yaml", what, yaml_file(content))
for value in (
    "2020-99-99",
    "0x_",
    "0b_",
    "!!int x",
    "!!float x",
    "!!bool x",
    "!!timestamp x",
    "!!binary x",
    "!!set x",
    "? [a]",
    "[]: 1",
):
    add("yaml", f"a: {value}", yaml_file(f"a: {value}\n"))
for key, value in {
    "noise.seed": -1,
    "noise.val": "all",
    "split.n": 10**9,
    "split.test": 1.5,
    "split.val": float("inf"),
    "train.lr": float("nan"),
    "train.epochs": 0,
    "corpora.20ng.subset": 10**30,
    "corpora.20ng.subset_seed": 2**40,
    "corpora.20ng.path": 5,
    "corpora.20ng.encoding": "nonsense",
    "corpora.20ng.labels": "x",
    "vectors.words": 0,
    "wordpieces.maxlen": 10**9,
    "encoders.minilm": {},
    "execution.missing": "never",
    "corpora": [],
    "originals": {},
    "split": None,
}.items():

    def change(content: dict, key=key, value=value) -> None:
        *parents, last = key.split(".")
        for name in parents:
            content = content[name]
        content[last] = value

    if key != "corpora.20ng.path" or value is not None:
        add("yaml", f"{key}: {str(value)[:20]}", parameters(change))
