"""What an experiment prints: `python benchmarks/experiment.py > benchmarks/measured/experiment.md`

Clones this repository's last commit, trains the quickstart with two splits in place of ten, and prints the experiment
`lcm.alpha=2` and its `dvc metrics diff`, as docs/experiments.md shows them: lines of skipped stages are left out, and
the report's table. About two minutes. No network.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SKIPPED = re.compile(r"Stage '.*' (didn't change|is cached)|.*( lock |To track|git add|To enable|dvc config|^\s*$)")
EXPERIMENT = ["dvc", "exp", "run", "-n", "two", "-S", "lcm.alpha=2", "quickstart"]
ROLES = ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL")
DIFFERENCE = ["dvc", "metrics", "diff", "--md"]


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        clone = Path(place) / "clone"
        subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LCM_", "DVC_"))}
        author = {f"GIT_{role}": "bench@example.org" for role in ROLES}
        environment = kept | author | {
            "HOME": place, "PYTHONPATH": str(clone / "src"), "LCM_RUN_STORE": str(Path(place) / "runs"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DVC_SITE_CACHE_DIR": str(Path(place) / "site"),
        }  # fmt: skip

        def said(command: list[str]) -> list[str]:
            done = subprocess.run(command, cwd=clone, env=environment, text=True, capture_output=True)
            if done.returncode:
                sys.exit(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
            return done.stdout.splitlines()

        study = clone / "studies/quickstart.yaml"
        study.write_text(re.sub(r"\bsplits: \d+", "splits: 2", study.read_text(encoding="utf-8")), encoding="utf-8")
        said(["dvc", "repro", "quickstart"])
        said(["git", "add", "-A"])
        said(["git", "commit", "-qm", "Two splits"])
        lines, shown = said(EXPERIMENT), []
        report = next(number for number, line in enumerate(lines) if "report.py quickstart" in line)
        for line in [*lines[: report + 1], "...", *lines[-2:]]:
            if not SKIPPED.match(line):
                shown += ["", line] if line.startswith("Running stage") and shown[-1:] != [""] else [line]
        difference = [line for line in said(DIFFERENCE) if line]
        shown = [f"$ {' '.join(EXPERIMENT)}", *shown, "", f"$ {' '.join(DIFFERENCE)}", *difference]
        print("```", *shown, "```", sep="\n")


if __name__ == "__main__":
    main()
