"""The files of examples/ci do what they say: train, record, judge, and block."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pytest_bertcheck import Evidence

EXAMPLE = Path(__file__).parent.parent / "examples" / "ci"
WORKFLOW = yaml.safe_load((EXAMPLE / ".github/workflows/classifier.yml").read_text())
PIPELINE = yaml.safe_load((EXAMPLE / ".gitlab-ci.yml").read_text())
GATES = {
    "github": [step["run"] for step in WORKFLOW["jobs"]["gate"]["steps"] if "run" in step],
    "gitlab": PIPELINE["gate"]["script"],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example after its train job."""
    folder = tmp_path_factory.mktemp("ci") / "project"
    shutil.copytree(EXAMPLE, folder)
    subprocess.run([sys.executable, "train.py", "evidence.npz"], cwd=folder, check=True)
    return folder


def spoil(project: Path) -> None:
    """Let the model answer everything with the first label."""
    evidence = Evidence.load(project / "evidence.npz")
    fields = {**evidence.fields(), "logits": [[9.0, 0.0]] * len(evidence.y_true)}
    Evidence(**fields).save(project / "evidence.npz")


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a job as a shell would, with the Python of the tests as `python`."""
    words = shlex.split(command)
    words[0] = sys.executable if words[0] == "python" else words[0]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("service", GATES)
def test_gate_installs_no_framework(service: str) -> None:
    """The gate job asks for the package alone, and trains nothing."""
    installed = " ".join(line for line in GATES[service] if "pip install" in line)
    assert "pytest-bertcheck[html]" in installed
    assert not re.search("tensorflow|torch|train.py", " ".join(GATES[service]))


@pytest.mark.parametrize("service", GATES)
def test_gate_passes_what_was_trained_and_blocks_a_collapse(service: str, project: Path) -> None:
    """The line of the job exits with 0, then with 1, and writes every report that it names."""
    [command] = [line for line in GATES[service] if "--bertcheck-evidence" in line]
    sound = (project / "evidence.npz").read_bytes()
    assert 0 == run(command, project).returncode
    spoil(project)
    blocked = run(command, project)
    (project / "evidence.npz").write_bytes(sound)
    assert 1 == blocked.returncode
    assert "collapsed: 200/200 predictions are 'billing'" in blocked.stdout
    for report in re.findall(r"=(report/\S+)", command):
        assert (project / report).stat().st_size


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_hook_judges_the_last_bundle(project: Path) -> None:
    """pre-push lets a sound bundle pass, stops a collapsed one, and says if there is none."""
    sound = (project / "evidence.npz").read_bytes()
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def push() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [project / "pre-push"], cwd=project, env={**os.environ, "PATH": path},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert 0 == push().returncode
    spoil(project)
    assert 1 == push().returncode
    (project / "evidence.npz").unlink()
    assert "nothing was judged" in push().stderr
    (project / "evidence.npz").write_bytes(sound)
