# The patch workbench. Its outputs are a person's checkout and committed files: declared, they would
# be made again whenever git touches them, so these rules declare none and are run on purpose.

for repo in filter(PLAN.config.has_pin, PLAN.config.repos):

    rule:
        """
        Make work/<repo>, a checkout with the patch series as commits, or move it to a new pin.
        """
        name:
            f"edit_{repo}"
        input:
            pin=lambda _, repo=repo: pin_stamp(repo),
        params:
            repo=repo,
            spec=lambda _, repo=repo: ARTIFACTS.spec_file(SOURCES.pinned_source(repo)),
            folder=SOURCES.work_folder(repo),
        log:
            LAYOUT.root / f"logs/edit/{repo}.log",
        script:
            "../scripts/edit.py"

    rule:
        """
        Write the commits of work/<repo> back to patches/<repo>.
        """
        name:
            f"export_{repo}"
        params:
            repo=repo,
            spec=lambda _, repo=repo: ARTIFACTS.spec_file(SOURCES.pinned_source(repo)),
            folder=SOURCES.work_folder(repo),
            patches=PROJECT / "patches" / repo,
        log:
            LAYOUT.root / f"logs/export/{repo}.log",
        script:
            "../scripts/export.py"
