# Upstream's own tests of what is built here, and the page that compares them.


def tested(wildcards):
    """The source that tests are copied from, and the environment that they run in."""
    spec = TESTS.run(wildcards.variant, wildcards.repo, wildcards.column)

    def stamps():
        made = [SOURCES.source(wildcards.repo)]
        if spec.environment_key:
            made.append(WHEELS.test_environment(wildcards.variant))
        return map(ARTIFACTS.stamp, made)

    return needs(spec, stamps)


def tests_request(wildcards):
    return REQUESTS.upstream_tests(wildcards.variant)


rule upstream_tests:
    input:
        tested,
    output:
        LAYOUT.stamp("tests", "{variant}/{repo}/{column}", "{key}"),
    params:
        spec=lambda w: LAYOUT.spec("tests", f"{w.variant}/{w.repo}/{w.column}", w.key),
        machine=MACHINE,
        built_for=lambda w: BUILDABLE.built_for(w.variant),
    # two runs at once: alone, one waits for processes that load what they test
    threads: threads(max(1, CORES // 2), tests_request)
    resources:
        mem_mb=lambda w, threads: tests_request(w).memory(threads),
        runtime=lambda w: tests_request(w).minutes,
        gpu=lambda w: tests_request(w).gpu,
    log:
        LAYOUT.root / "logs/tests/{variant}/{repo}/{column}/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/tests/{variant}/{repo}/{column}/{key}.tsv"
    script:
        "../scripts/upstream_tests.py"


rule tests_page:
    input:
        runs=lambda _: [ancient(ARTIFACTS.stamp(spec)) for spec in TESTS.runs()],
    output:
        LAYOUT.view("tests", "{key}"),
    params:
        known=lambda _: TESTS.known,
    log:
        LAYOUT.root / "logs/tests_page/{key}.log",
    benchmark:
        LAYOUT.root / "benchmarks/tests_page/{key}.tsv"
    script:
        "../scripts/tests_page.py"
