"""`dvc plots show` without the network: DVC's own page loads Vega from a server; this template carries it inside.

`make` runs it once: python -m lcm.evidence.offline_plots .dvc/plots/offline.html (the file that .dvc/config names).
"""

import sys
from pathlib import Path

import vl_convert

from lcm.files import write_text

# DVC's plots call vegaEmbed from plain scripts, which run before the module below: calls wait until it is there.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DVC plots</title>
<style>body { font-family: sans-serif; margin: 1rem; }</style>
<script>
const waiting = [];
window.vegaEmbed = (...call) => waiting.push(call);
window.drawWaiting = (embed) => { window.vegaEmbed = embed; waiting.forEach((call) => embed(...call)); };
</script>
</head>
<body>
{plot_divs}
<script type="module">
BUNDLE
</script>
</body>
</html>
"""


def write_template(path: Path) -> None:
    """Write the template for DVC's `plots.html_template`, with Vega, Vega-Lite and vega-embed inside."""
    bundle = vl_convert.javascript_bundle("window.drawWaiting(vegaEmbed);").replace("</script", "<\\/script")
    write_text(path, PAGE.replace("BUNDLE", bundle))


if __name__ == "__main__":
    write_template(Path(sys.argv[1]))
