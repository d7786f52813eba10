"""Which files are the workflow, and when they are other ones."""

from pathlib import Path

from snakedev.images.project_files import project_digest, project_files


def test_the_workflow_is_what_the_project_keeps(tmp_path: Path) -> None:
    for name in ("Snakefile", "rules/a.smk", "profiles/slurm/config.yaml", "patches/b/1.patch"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    kept = [name for name, _ in project_files(tmp_path)]
    assert kept == ["Snakefile", "patches/b/1.patch", "profiles/slurm/config.yaml", "rules/a.smk"]
    before = project_digest(tmp_path)
    for name in ("results/x", ".venv/x", "rules/__pycache__/a.pyc", "rules/.a.swp", "tests/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert project_digest(tmp_path) == before
    (tmp_path / "Snakefile").chmod(0o755)
    as_program = project_digest(tmp_path)
    (tmp_path / "rules/a.smk").rename(tmp_path / "rules/b.smk")
    assert len({before, as_program, project_digest(tmp_path)}) == 3
