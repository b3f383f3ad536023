"""Reads README.md and docs/: code blocks, and what a block's first line says about where it goes.

```python file=src/lcm/targets/toy.py          the whole file
```yaml insert=params.yaml below=models:       directly below the first line that begins so, spaces at its front aside
```yaml insert=dvc.yaml above=page:            directly above it
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```(\w+)?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block. section: the heading of level 2 above it. place: {"file": ...}, {"insert": ..., "below": ...}."""

    section: str
    language: str
    place: dict[str, str]
    text: str

    def apply(self, root: Path) -> None:
        """Put the block where its first line says, below root. Raises ValueError if that place is not there."""
        if not self.place:
            raise ValueError(f"{self.section}: the block says no place")
        path = root / next(iter(self.place.values()))
        if "file" in self.place:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text, encoding="utf-8")
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        side = "below" if "below" in self.place else "above"
        found = [n for n, line in enumerate(lines) if line.strip().startswith(self.place[side])]
        if not found:
            raise ValueError(f"{path}: no line begins with {self.place[side]!r}")
        lines.insert(found[0] + (side == "below"), self.text)
        path.write_text("".join(lines), encoding="utf-8")


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a Markdown file, in order."""
    text = path.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        headings = re.findall(r"^## (.+)$", text[: match.start()], re.MULTILINE)
        place = dict(word.split("=", 1) for word in shlex.split(match[2]))
        found.append(Block(headings[-1] if headings else "", match[1] or "", place, match[3]))
    return found
