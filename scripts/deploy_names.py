"""Names that files of deploy/ have in common with others: usage: deploy_names.py metrics|kustomize.

metrics: what the dashboard and the alerts ask for, and what the sources count, is in docs/METRICS.md.
kustomize: the files that kustomizations name are there, and so is what they change.
"""

import pathlib
import re
import sys

METRIC = re.compile(r"tallylight_[a-z0-9_]+")
# In the sources: not a metric, but the beginning of the SFU's.
BEGINNINGS = {"tallylight_sfu"}


def main(what):
    wrong = {"metrics": metrics, "kustomize": kustomize}[what]()
    for line in wrong:
        print(line)
    return 1 if wrong else 0


def metrics():
    listed = set(re.findall(r"^\| `(tallylight_[a-z0-9_]+)` \|", read("docs/METRICS.md"), re.M))
    wrong = []
    for file in ["deploy/grafana/tallylight.json", "deploy/prometheus/alerts.yml"]:
        for name in sorted(set(METRIC.findall(read(file)))):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            if not {name, base} & listed:
                wrong.append(f"{file} asks for {name}, which docs/METRICS.md does not have")
    counted = set(sfu_totals())
    for file in pathlib.Path("src").rglob("*.rs"):
        counted |= set(re.findall(r'"(tallylight_[a-z0-9_]+)"', file.read_text())) - BEGINNINGS
    wrong += [f"docs/METRICS.md lacks {name}" for name in sorted(counted - listed)]
    figures = {name for name in listed if name.startswith("tallylight_channel_")}
    wrong += [f"docs/METRICS.md has {name}, which nothing counts" for name in sorted(listed - counted - figures)]
    return wrong


def sfu_totals():
    """The fields of `Totals`, as `show_numbers` names them."""
    body = re.search(r"pub struct Totals \{(.*?)\n\}", read("sfu/src/stats.rs"), re.S).group(1)
    for name, kind in re.findall(r"pub ([a-z_]+): (i64|u64)", body):
        yield f"tallylight_sfu_{name}" + ("_total" if kind == "u64" else "")


def kustomize():
    import yaml

    wrong = []
    for file in pathlib.Path("deploy/kubernetes").rglob("kustomization.yaml"):
        found = yaml.safe_load(file.read_text())
        names = list(found.get("resources", []))
        names += [env for maps in found.get("configMapGenerator", []) for env in maps.get("envs", [])]
        wrong += [f"{file} names {name}, which is not there" for name in names if not (file.parent / name).exists()]
    return wrong


def read(path):
    return pathlib.Path(path).read_text()


sys.exit(main(sys.argv[1]))
