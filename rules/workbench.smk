# The patch workbench. Its outputs are a person's checkout and committed files: declared, they would
# be made again whenever git touches them, so these rules declare none and are run on purpose.

# There are three for each repo: those that are asked for are there, and one of each kind stands for
# all in the list of targets.
PINNED = [repo for repo in CONFIG.repos if CONFIG.has_pin(repo)]
WORKBENCH = [f"{kind}_{repo}" for kind in ("edit", "export", "upstream") for repo in PINNED]


rule edit_REPO:
    """
    Make work/REPO, a checkout with the patch series as commits, or move it to a new pin.
    """
    input:
        [],


rule export_REPO:
    """
    Write the commits of work/REPO back to patches/REPO.
    """
    input:
        [],


rule upstream_REPO:
    """
    Put the patches of REPO on the newest state of its upstream, and draft what would be sent there.
    """
    input:
        [],


for repo in PINNED:
    if f"edit_{repo}" in TARGETS:

        rule:
            name:
                f"edit_{repo}"
            input:
                pin=lambda _, repo=repo: pin_stamp(repo),
            params:
                repo=repo,
                spec=lambda _, repo=repo: ARTIFACTS.spec_file(SOURCES.pinned_source(repo)),
                made_on=lambda _, repo=repo: [
                    ARTIFACTS.spec_file(source) for source in SOURCES.made_on(repo)
                ],
                folder=SOURCES.work_folder(repo),
            log:
                LAYOUT.root / f"logs/edit/{repo}.log",
            script:
                "../scripts/edit.py"

    if f"export_{repo}" in TARGETS:

        rule:
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

    if f"upstream_{repo}" in TARGETS:

        rule:
            name:
                f"upstream_{repo}"
            params:
                project=PROJECT,
                ran=lambda _, repo=repo: {repo: REPORTS.ran_with(repo)},
                tests=lambda _, repo=repo: {repo: TESTS.ran_of(repo)},
            log:
                LAYOUT.root / f"logs/upstream/{repo}.log",
            script:
                "../scripts/upstream.py"
