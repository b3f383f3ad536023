"""dvc.yaml against the studies: every cell has its stage, and every stage names what can change its results."""

import json
import shutil
import subprocess
from pathlib import Path

import plan
import pytest
import runs
import yaml

from lcm import source
from lcm.corpora.catalogue import CATALOGUE, original
from lcm.files import make_gap
from lcm.params import OWN, OWN_TABLES, load_params
from lcm.study import LINEAR, cells
from lcm.training import inputs
from lcm.training.train import make_plan

NAMES = sorted(path.stem for path in (runs.ROOT / "studies").glob("*.yaml"))
PARTIAL = {"partial"}  # the study of editions that no public address has


@pytest.fixture(scope="module")
def params():
    found = load_params(runs.ROOT / "params.yaml", training=True)
    table = {"path": str(OWN_TABLES / "reviews.csv")}  # as if somebody had named one
    return found.model_copy(update={"corpora": found.corpora | {OWN: found.corpora[OWN].model_copy(update=table)}})


@pytest.fixture(scope="module")
def stages():
    """Name -> resolved stage of the root dvc.yaml and of data/dvc.yaml."""
    repo = pytest.importorskip("dvc.repo").Repo(str(runs.ROOT))
    return {stage.addressing: stage for stage in repo.index.stages}


def paths(items):
    return {Path(item.fs_path).relative_to(runs.ROOT).as_posix() for item in items}


def test_every_study_is_read_by_dvc_and_has_its_stages(stages):
    listed = yaml.safe_load((runs.ROOT / "dvc.yaml").read_text())["vars"]
    assert sorted(listed) == [f"studies/{name}.yaml" for name in NAMES]
    assert {name.partition("@")[0] for name in stages if name.startswith("train-")} == {
        f"train-{name}" for name in NAMES
    }
    assert set(NAMES) <= set(stages)


@pytest.mark.parametrize("study", NAMES)
def test_every_cell_of_a_study_is_made_by_the_stage_of_its_corpus(stages, params, study):
    """And this depends on what can change the cells' numbers: their plan, and the data that their models read."""
    made = {}
    for name, stage in stages.items():
        if name.startswith(f"train-{study}@"):
            made[name.partition("@")[2]] = stage
    spec = params.studies[study]
    assert list(made) == spec.corpora or set(made) == set(spec.corpora)
    for corpus, stage in made.items():
        assert stage.cmd == f"python pipeline/train.py {study} {corpus}"
        (out,) = stage.outs
        assert out.def_path == f"metrics/cells/{study}/{corpus}" and out.persist and not out.use_cache
        assert {cell.path().parent.as_posix() for cell in cells(params, study, corpus)} == {out.def_path}
        needed = {f"plans/{study}/{corpus}.json", *(f"data/{kind}/{corpus}" for kind in ("corpus", "splits"))}
        for cell in cells(params, study, corpus):
            if cell.model != LINEAR:
                model = params.model(cell.model)
                needed |= {f"data/vectors/{model.vectors}/{corpus}"} if getattr(model, "vectors", None) else set()
                needed |= {f"data/wordpieces/{corpus}"} if model.reads in ("wordpieces", "features") else set()
        assert needed <= paths(stage.deps), corpus
        # a stage of a study of networks from vectors names them for each of its corpora
        rest = paths(stage.deps) - needed
        assert all(path.startswith(("data/vectors/", "data/wordpieces/")) for path in rest), rest
    report = stages[study]
    assert {f"metrics/cells/{study}", f"plans/{study}"} <= paths(report.deps) and f"reports/{study}" in paths(
        report.outs
    )
    assert report.cmd == f"python pipeline/report.py {study}"


def test_the_plans_in_git_are_todays():
    """Or the first `dvc repro` of a clone would change them."""
    params = load_params(training=True)
    made = {f"plans/{name}.json": content for name, content in plan.training_plans(params).items()}
    in_git = {path.as_posix(): json.loads(path.read_text()) for path in Path("plans").rglob("*.json")}
    assert in_git == made, "run `python pipeline/plan.py`"


def test_a_report_is_made_again_when_its_code_or_its_texts_change(params, tmp_path, monkeypatch):
    def report():
        source._without_prose.cache_clear()
        return plan.training_plans(params.model_copy(update={"studies": {}, **one}))["noise/+report"]

    one = {"studies": {"noise": params.studies["noise"]}}
    copy = tmp_path / "lcm"
    shutil.copytree(runs.ROOT / "src/lcm", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(plan, "ROOT", copy)
    monkeypatch.setattr(source, "ROOT", copy)
    before = report()
    (copy / "evidence/tables.py").write_text((copy / "evidence/tables.py").read_text() + "# a comment\n")
    assert report() == before
    for file, more in (("tables.py", "x = 1\n"), ("texts.yaml", "# a text\n"), ("page.css", "p {}\n")):
        (copy / "evidence" / file).write_text((copy / "evidence" / file).read_text() + more)
        assert report() != before, file
        before = report()
    for file in ("study.py", "cell_files.py"):  # what yardsticks are called, and which files count
        (copy / file).write_text((copy / file).read_text() + "x = 1\n")
        assert report() != before, file
        before = report()


@pytest.mark.parametrize("field", ["title", "question"])
def test_a_report_is_made_again_when_its_study_says_something_else(params, field):
    studies = {"noise": params.studies["noise"]}
    before = plan.training_plans(params.model_copy(update={"studies": studies}))
    studies = {"noise": params.studies["noise"].model_copy(update={field: "Something else?"})}
    after = plan.training_plans(params.model_copy(update={"studies": studies}))
    assert {name for name in before if before[name] != after[name]} == {"noise/+report"}


@pytest.mark.parametrize("file", ["corpora/catalogue.py", "corpora/texts.py", "corpora/readers.py", "archives.py"])
def test_a_corpus_is_prepared_again_when_what_reads_it_changes(params, tmp_path, monkeypatch, file):
    """The catalogue says which reader, texts.py orders the samples."""
    copy = tmp_path / "src/lcm"
    for folder in ("src/lcm", "pipeline"):
        shutil.copytree(runs.ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(source, "ROOT", copy)
    before = plan.data_plans(params)
    (copy / file).write_text((copy / file).read_text() + "x = 1\n")
    after = plan.data_plans(params)
    changed = {name.partition("/")[0] for name in before if before[name] != after[name]}
    assert {"prepare", "wordpieces"} <= changed and not changed & {"fetch", "split", "skipgram"}


def test_a_misspelt_file_in_a_digest_is_noticed():
    with pytest.raises(FileNotFoundError):
        source.digest(["training/runs.py"])


def test_noise_of_a_study_is_among_the_rates_that_are_made(params):
    for study, spec in params.studies.items():
        for grid in spec.grids:
            for corpus in grid.corpora:
                made = {0, *params.noise.rates.get(corpus, [])}
                own = set(grid.noise) - made  # given labels are wrong by themselves, how many of them the data say
                assert not own or "noisy" in corpus, (study, corpus, own)


def test_everything_that_a_stage_needs_is_in_git_or_made_by_a_stage(stages):
    made = {path: name for name, stage in stages.items() for path in paths(stage.outs)}
    tracked = set(
        subprocess.run(["git", "ls-files"], cwd=runs.ROOT, capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )
    )
    folders = {parent.as_posix() for path in tracked for parent in Path(path).parents}
    for name, stage in stages.items():
        for path in paths(stage.deps):
            source = path in made or any(one.startswith(f"{path}/") or path.startswith(f"{one}/") for one in made)
            assert source or path in tracked or path in folders, f"{name}: nothing makes {path}"
        for command in [stage.cmd] if isinstance(stage.cmd, str) else stage.cmd:
            assert command.split()[1] in tracked, f"{name}: {command}"


def upstream(stages, name):
    import networkx

    graph = next(iter(stages.values())).repo.index.graph
    return {stage.addressing for stage in networkx.descendants(graph, stages[name])}  # edges point at dependencies


@pytest.mark.parametrize("study", NAMES)
def test_a_study_reaches_back_to_its_originals_and_these_have_a_public_address(stages, params, study):
    """Or are made from what is installed. Only the study of partial editions has originals that nobody can download."""
    before, spec = upstream(stages, study), params.studies[study]
    needed = {Path(params.corpora[corpus].path).name for corpus in spec.corpora if corpus != OWN}
    fetched = {name.partition("@")[2] for name in before if name.startswith("data/dvc.yaml:fetch@")}
    assert needed <= fetched
    for name in fetched:
        item = original(name)
        public = item.embed or all(
            any(url.startswith("https://") or url.startswith("http://") for url in file.urls) for file in item.files
        )
        assert public or study in PARTIAL, name
    if study == "pretrained":
        assert {"glove", "zhwiki"} <= fetched
    assert not {name for name in before if name.startswith("train-") and not name.startswith(f"train-{study}@")}
    assert "plan" in before


def test_what_is_not_there_is_a_gap_of_every_study_and_no_error(params, tmp_path, monkeypatch):
    """As `fetch` without any network leaves it, passed on by the stages after it."""
    monkeypatch.chdir(tmp_path)
    for corpus in params.corpora:
        make_gap(Path("data/corpus") / corpus, "every address was tried")
    for study in params.studies:
        plan = make_plan(params, cells(params, study), "cpu")
        assert len(plan.gaps) == len(cells(params, study)) and not (plan.broken or plan.waiting or plan.complete)


def test_commands_in_messages_name_stages_that_exist(stages, params, monkeypatch, tmp_path):
    """`make it with dvc repro ...`: of splits, word vectors and wordpieces."""
    monkeypatch.chdir(tmp_path)
    runs.write_corpus(tmp_path)
    data = inputs.prepare.load(Path("data/corpus/toy"))
    said = []
    for model, corpus in (
        ("lstm_own", "20ng"),
        ("lstm_pre", "ag_news"),
        ("minilm", "4ng-h"),
        ("minilm_frozen", "4ng-h"),
    ):
        with pytest.raises(inputs.UserError) as error:
            inputs.find_source(params, inputs.Cell("any", corpus, 0, model, "ce", 1), data)
        said.append(str(error.value))
    with pytest.raises(inputs.UserError) as error:
        inputs.load("20ng", 30)
    for text in (*said, str(error.value)):
        assert text.partition("make it with `dvc repro ")[2].rstrip("`") in stages, text


def test_the_catalogue_is_fetched_whole(params):
    """Every corpus of the catalogue that params.yaml reads is among `originals`, and every original is known."""
    for name in params.originals:
        original(name)
    read = {
        Path(corpus.path).name
        for corpus in params.corpora.values()
        if corpus.path and corpus.path.startswith("data/raw/")
    }
    assert read <= set(params.originals) and read <= set(CATALOGUE)
