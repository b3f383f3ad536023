"""Print, for each target of a study, the setting of its grid with the best validation accuracy on the first splits.

A grid is an entry such as `gce.*` in studies/<study>.yaml. Every target has as many values and as many runs. Test data
choose nothing. The printed lines go into the study's file, where the chosen methods are trained on all splits.

Example: python pipeline/tune.py targets
"""

from lcm.errors import arguments, run_main
from lcm.evidence.results import read_study
from lcm.evidence.tuning import chosen
from lcm.params import load_params


def main() -> None:
    study = arguments(__doc__, study="a file of studies/, without .yaml").parse_args().study
    params = load_params(training=True)
    results = read_study(params, study)
    for (corpus, noise, model), methods in chosen(params.studies[study], results).items():
        names = ", ".join(f"'{method}'" if "," in method else method for method in methods)
        print(f"    - {{corpora: [{corpus}], noise: [{noise}], models: [{model}], methods: [{names}]}}")


if __name__ == "__main__":
    run_main(main)
