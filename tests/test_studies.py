"""dvc.yaml against params.yaml: every cell that a report looks for has its stage, and every stage names things that are there."""

from pathlib import Path

import pytest
import yaml

from lcm.evidence.results import GRIDS, read_grid
from lcm.params import Study, load_params
from lcm.training.cell import cell_config

ROOT = Path(__file__).parent.parent
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
STUDIES = [study for study in PARAMS["studies"] if study != "quickstart"]


@pytest.fixture(scope="module")
def stages():
    """Name -> resolved stage of the root dvc.yaml and of data/dvc.yaml."""
    repo = pytest.importorskip("dvc.repo").Repo(str(ROOT))
    return {stage.addressing: stage for stage in repo.index.stages}


def paths(items):
    return {Path(item.def_path).as_posix() for item in items if item.def_path != "params.yaml"}


def params_of(stage):
    return {key for dep in stage.deps if dep.def_path == "params.yaml" for key in dep.params}


@pytest.mark.parametrize("study", STUDIES)
def test_every_cell_of_a_study_is_made_by_one_stage(stages, study, tmp_path):
    params = load_params(ROOT / "params.yaml")
    grid = read_grid(study, params.model_dump(), lambda *cell: cell_config(params, *cell), tmp_path)
    cells = {f"metrics/cells/{study}/{cell.name}.json" for cell in grid.cells}
    made = [out.def_path for stage in stages.values() for out in stage.outs if out.def_path.startswith(f"metrics/cells/{study}/")]
    assert cells == set(made) and len(made) == len(cells)
    report = stages[study]
    assert {f"metrics/cells/{study}", f"metrics/curves/{study}"} <= paths(report.deps) and f"reports/{study}" in paths(report.outs)
    assert all((ROOT / folder / study / ".gitkeep").exists() for folder in ("metrics/cells", "metrics/curves"))  # DVC wants them to be there


@pytest.mark.parametrize("study", STUDIES)
def test_a_cell_depends_on_what_can_change_it_and_on_no_other_arm(stages, study):
    params = load_params(ROOT / "params.yaml")
    for name, stage in stages.items():
        if not any(out.def_path.startswith(f"metrics/cells/{study}/") for out in stage.outs):
            continue
        _, _, told, corpus, noise, model, arm = stage.cmd.split()
        assert told == study and {f"data/corpus/{corpus}", f"data/splits/{corpus}", f"data/noise/{corpus}"} <= paths(stage.deps), name
        needed = params_of(stage)
        if arm == "linear":
            assert needed == {"linear", f"studies.{study}.splits"}
            continue
        assert {"train", f"models.{model}", f"studies.{study}.splits", f"studies.{study}.splits_of", f"studies.{study}.train"} <= needed, name
        settings = params.models[model]
        reads_vectors = getattr(settings, "vectors", None)
        assert (f"data/vectors/{reads_vectors}/{corpus}" in paths(stage.deps)) == bool(reads_vectors), name
        assert (f"data/wordpieces/{corpus}" in paths(stage.deps)) == (settings.encoder == "bert"), name
        assert f"src/lcm/models/{settings.encoder}.py" in paths(stage.deps), name
        assert {"src/lcm/targets", "src/lcm/training/run.py"} <= paths(stage.deps), name
        group, _, changes = arm.partition(".")
        # every setting of the group but those that the arm itself sets; -S lcm.alpha=2 retrains no label smoothing
        sets = {f"{group}.{change.partition('=')[0]}" for change in changes.split(",") if changes}
        of_groups = {key for key in needed if key.partition(".")[0] in ("ls", "lcm")}
        whole = {group} if not changes else of_groups
        assert of_groups == whole, name
        if changes:
            keys = {f"{group}.{key}" for key in getattr(params, group).model_dump()}
            assert keys - sets <= (keys if group in of_groups else of_groups), name


def test_parameters_files_and_makers_that_stages_name_are_there(stages):
    made = {out.def_path if stage.wdir == str(ROOT) else (Path(stage.wdir) / out.def_path).relative_to(ROOT).as_posix() for stage in stages.values() for out in stage.outs}
    for name, stage in stages.items():
        for key in params_of(stage):
            value = PARAMS
            for part in key.split("."):
                assert part in value, f"{name}: params.yaml has no {key}"
                value = value[part]
        for path in paths(stage.deps):
            source = path in made or (ROOT / path).exists() or any(one.startswith(f"{path}/") or path.startswith(f"{one}/") for one in made)
            assert source, f"{name}: nothing makes {path}"


def test_a_study_reaches_back_to_the_originals(stages):
    import networkx

    graph = next(iter(stages.values())).repo.index.graph
    for study in STUDIES:
        upstream = {stage.addressing for stage in networkx.descendants(graph, stages[study])}  # edges point at dependencies
        for part in PARAMS["studies"][study].values():
            for corpus in part["corpora"] if isinstance(part, dict) and "corpora" in part else []:
                assert f"data/dvc.yaml:fetch@{Path(PARAMS['corpora'][corpus]['path']).name}" in upstream, (study, corpus)
    assert "data/dvc.yaml:fetch@glove" in {stage.addressing for stage in networkx.descendants(graph, stages["benchmark"])}


def test_the_report_knows_every_grid_of_the_schema():
    """It has a list of its own: evidence reads files and imports nothing of what trains."""
    everything = Study.model_construct(**dict.fromkeys(Study.model_fields, "a grid"))
    assert tuple(everything.grids()) == GRIDS
