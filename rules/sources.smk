# From pins to patched sources, and the crates that they name.


def pin_stamp(repo):
    """What a source is made from: a downloaded archive, or a commit in a mirror."""
    kind = "mirror" if CONFIG.origin_of(repo) == "git" else "download"
    return ancient(LAYOUT.stamp(kind, repo, SOURCES.pin_key(repo)))


rule download:
    output:
        LAYOUT.stamp("download", "{repo}", "{key}"),
    params:
        spec=lambda w: ARTIFACTS.spec_file(SOURCES.pinned_source(w.repo)),
    log:
        LAYOUT.root / "logs/download/{repo}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/download/{repo}/{key}.tsv"
    script:
        "../scripts/download.py"


rule mirror:
    output:
        LAYOUT.stamp("mirror", "{repo}", "{key}"),
    params:
        spec=lambda w: ARTIFACTS.spec_file(SOURCES.pinned_source(w.repo)),
    log:
        LAYOUT.root / "logs/mirror/{repo}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/mirror/{repo}/{key}.tsv"
    script:
        "../scripts/mirror.py"


def facts_stamps(repo):
    """The comparison of what is known of a repo's source with its pin.

    A work folder may say otherwise; what it asks for is held against the locks alone.
    """
    compared = repo in SOURCES.with_facts() and repo not in CONFIG.work
    return [ancient(SOURCES.facts_stamp(repo))] if compared else []


rule facts:
    input:
        pin=lambda w: pin_stamp(w.repo),
    output:
        LAYOUT.stamp("facts", "{repo}", "{key}"),
    params:
        spec=lambda w: ARTIFACTS.spec_file(SOURCES.pinned_source(w.repo)),
        known=lambda w: SOURCES.facts(w.repo).model_dump(mode="json"),
        folder=PROJECT / "envs",
    log:
        LAYOUT.root / "logs/facts/{repo}/{key}.log",
    script:
        "../scripts/facts.py"


rule source:
    input:
        lambda w: facts_stamps(w.repo),
        # a work folder has its pin in it
        pin=lambda w: [] if w.repo in CONFIG.work else pin_stamp(w.repo),
    output:
        LAYOUT.stamp("source", "{repo}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("source", w.repo, w.key),
        work=lambda w: SOURCES.work_folder(w.repo),
    log:
        LAYOUT.root / "logs/source/{repo}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/source/{repo}/{key}.tsv"
    script:
        "../scripts/source.py"


rule crates:
    input:
        lambda w: needs(SOURCES.crates(w.repo), lambda: [ARTIFACTS.stamp(SOURCES.source(w.repo))]),
    output:
        LAYOUT.stamp("crates", "{repo}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("crates", w.repo, w.key),
    log:
        LAYOUT.root / "logs/crates/{repo}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/crates/{repo}/{key}.tsv"
    script:
        "../scripts/crates.py"
