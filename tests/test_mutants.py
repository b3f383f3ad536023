"""The list of mutants fits the code: every text that a mutant replaces stands in its file once."""

import ast

import mutants
import pytest
from mutations import MUTANTS


def test_every_mutant_fits_the_code_and_names_tests_that_exist():
    for mutant in MUTANTS:
        mutated = mutants.applied(mutant, mutants.ROOT)
        assert mutated != (mutants.ROOT / mutant.file).read_text(encoding="utf-8")
        if mutant.file.endswith(".py"):
            ast.parse(mutated)  # a mistake that Python itself finds proves nothing
        assert all((mutants.ROOT / "tests" / test.partition("::")[0]).is_file() for test in mutant.tests), mutant
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_a_mutant_that_does_not_fit_is_an_error():
    with pytest.raises(SystemExit, match="expected its text once in README.md, found 0 times"):
        mutants.applied(mutants.Mutant("x", "README.md", "no such text", "", ()), mutants.ROOT)
