# snakedev-vllm: vLLM for free-threaded Python, built from pinned and patched sources, and proved
# by inference. This is the front door: the configuration is checked, the plan is made, and the
# public targets stand here with a line on each (`snakemake --list-target-rules`).

import atexit
import gc
import os
import socket
import sys
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

# What is loaded while the workflow is read stays to the end: Python's collector, which would look at
# it again and again, takes a fifth of the time of a run that has nothing to do.
gc.disable()

PROJECT = Path(workflow.basedir)
# jobs are scripts that import the same modules
sys.path.insert(0, str(PROJECT))
os.environ["PYTHONPATH"] = str(PROJECT)
# and that find the locked tools, whether or not the environment is activated
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

from snakemake.cli import get_argument_parser, parse_args

from snakedev.base.capacity import available_cores
from snakedev.base.errors import UserError
from snakedev.base.folders import refuse_unwritable
from snakedev.plan import answers
from snakedev.plan.answers import Answers, Handed, Kept, stopped
from snakedev.plan.front_door import (
    begin,
    end_at_conflicts,
    load,
    note_reached,
    refuse_misspelt,
    runs_elsewhere,
    targets,
)
from snakedev.plan.screen import take
from snakedev.store.artifacts import Artifacts

# This run's own process. Jobs that run on other machines read this file again there.
HEAD = workflow.is_main_process
if HEAD:
    take(workflow.logger_manager.logger, workflow.output_settings)

# Snakemake has parsed its command line and does not show it yet
ASKED, _ = get_argument_parser().parse_known_args(sys.argv[1:])
if HEAD and (ASKED.profile or ASKED.workflow_profile):
    # with what the profiles say, about which Snakemake has told
    with redirect_stderr(StringIO()):
        _, ASKED = parse_args(sys.argv[1:])
TARGETS = targets(ASKED)
ELSEWHERE = not HEAD or runs_elsewhere(ASKED)


def makes_something():
    """Whether this is no dry run, nor one that only shows something."""
    return bool(workflow.executor_plugin) and not workflow.dryrun


LAYERS = ("sources", "buildable", "wheels", "reports", "tests", "requests", "images")
if HEAD:

    configfile: "config.yaml"


if HEAD:
    try:
        PLAN, RUN_LOCK = load(
            config,
            [Path(file) for file in workflow.configfiles],
            PROJECT,
            TARGETS,
            elsewhere=ELSEWHERE,
            used=makes_something,
            given=workflow.config_settings.config,
        )
    except UserError as error:
        stopped(error)
    CONFIG, LAYOUT, ARTIFACTS = PLAN.config, PLAN.layout, PLAN.artifacts
    HANDED = Handed(config, CONFIG, LAYOUT) if ELSEWHERE else None
    asked = [Answers(getattr(PLAN, name), name, HANDED and HANDED.answers) for name in LAYERS]
    os.environ[answers.VARIABLE] = str(LAYOUT.plan(RUN_LOCK.name).absolute())
    MACHINE = LAYOUT.machine
else:
    try:
        HANDED = Handed.read(os.environ)
    except UserError as error:
        stopped(error)
    config.clear()
    config.update(HANDED.config)
    CONFIG, LAYOUT = HANDED.checked, HANDED.layout
    ARTIFACTS = Artifacts(LAYOUT, head=False)
    asked = [Kept(name, HANDED.answers) for name in LAYERS]
    MACHINE = LAYOUT.node(socket.gethostname())
SOURCES, BUILDABLE, WHEELS, REPORTS, TESTS, REQUESTS, IMAGES = asked

# what jobs on other machines need of this process's environment, where executors hand on nothing
workflow.register_envvars(*filter(os.environ.get, answers.VARIABLES))
# there is no number of cores where others run the jobs
CORES = available_cores() if ELSEWHERE else workflow.cores


wildcard_constraints:
    key="(work-)?[0-9a-f]{16}",
    repo="[a-z0-9][a-z0-9.-]*",
    variant="any|cpu|cuda|rocm",
    model="[a-z0-9][a-z0-9.-]*",
    name="[a-z0-9-]+",
    column="stock|gil|free|threads",
    trial="[0-9a-f]{16}",


def needs(spec, stamps):
    """The stamps that a keyed job waits for; none where its artifact is there.

    `ancient` alone would start the job again when one of them has to be made for another job.
    """
    return [] if ARTIFACTS.stands(spec) else [ancient(stamp) for stamp in stamps()]


def threads(here, request):
    """The threads of a job that other machines may run: ``here``, or what it asks of a cluster."""
    return (lambda wildcards: request(wildcards).threads) if ELSEWHERE else here


def layers(wildcards):
    """The sources and wheels of the plan that an artifact is of: a stock wheel's are its own."""
    stock = REPORTS.stock
    return (
        (stock.sources, stock.wheels) if stock and stock.has(wildcards.key) else (SOURCES, WHEELS)
    )


include: "rules/interpreter.smk"
include: "rules/sources.smk"
include: "rules/environments.smk"
include: "rules/wheels.smk"
include: "rules/images.smk"
include: "rules/models.smk"
include: "rules/smoke.smk"
include: "rules/reports.smk"
include: "rules/upstream_tests.smk"
include: "rules/workbench.smk"
include: "rules/prune.smk"


onstart:
    try:
        needed = list(workflow.dag.needrun_jobs())
        if HANDED:
            answers.ask_all(job for job in needed if not job.is_local)
        jobs = [(job.rule.name, job.wildcards_dict) for job in needed]
        begin(PLAN, RUN_LOCK, CORES, jobs, HANDED)
    except UserError as error:
        atexit.unregister(note_what_is_reached)
        stopped(error)


onsuccess:
    end_at_conflicts(SOURCES, TARGETS)


def note_what_is_reached():
    """When there is nothing to be done Snakemake calls no hook, and the run reaches as much."""
    if makes_something():
        note_reached(PLAN)
        ARTIFACTS.offer()


if HEAD:
    atexit.register(note_what_is_reached)


rule smoke_report:
    """
    Build what changed, run inference with the GIL off, and write results/reports/smoke.html.
    """
    default_target: True
    input:
        lambda _: REPORTS.smoke_view(),
        smoke_verdict,


rule patch_report:
    """
    Try every patch on its pin, and on patch_report.refs, and write results/reports/patches.html.
    """
    input:
        lambda _: REPORTS.patch_view(),


rule upstream_report:
    """
    Put every patch on the newest state of its upstream, draft what would be sent there, and write
    results/reports/upstream.html; nothing is sent.
    """
    params:
        project=PROJECT,
        ran=lambda _: {repo: REPORTS.ran_with(repo) for repo in SOURCES.patched},
        tests=lambda _: {repo: TESTS.ran_of(repo) for repo in SOURCES.patched},
    log:
        LAYOUT.root / "logs/upstream_report.log",
    script:
        "scripts/upstream.py"


rule bump:
    """
    Move vLLM's pin, or those that `bump` names, to the newest release that can run here, with the
    patches and locks, and write results/reports/bump.html.
    """
    input:
        lambda _: ancient(SOURCES.interpreter_stamp()),
    params:
        project=PROJECT,
    log:
        LAYOUT.root / "logs/bump.log",
    script:
        "scripts/bump.py"


rule compat_report:
    """
    Ask the package index what of all that vLLM needs a free-threaded Python can have, and write
    results/reports/compat.html.
    """
    params:
        folder=PROJECT / "envs",
        parts=lambda _: WHEELS.vllm_parts(),
    log:
        LAYOUT.root / "logs/compat_report.log",
    script:
        "scripts/compat_report.py"


rule history_report:
    """
    Tell of all pins that were built in this store: patches, sizes, times, speed and the GIL, in
    results/reports/history.html.
    """
    log:
        LAYOUT.root / "logs/history_report.log",
    script:
        "scripts/history_report.py"


rule gil_report:
    """
    Find out what turns the GIL on in what vLLM imports, and write results/reports/gil.html.
    """
    input:
        lambda _: REPORTS.gil_view(),


rule bench_report:
    """
    Measure what running without the GIL gives, and write results/reports/bench.html.
    """
    input:
        bench_runs,
    params:
        variants=lambda _: REPORTS.bench_variants,
    log:
        LAYOUT.root / "logs/bench_report.log",
    script:
        "scripts/bench_page.py"


rule test_report:
    """
    Run upstream's own tests of all that is built, with the GIL on and off, and write
    results/reports/tests.html.
    """
    input:
        lambda _: TESTS.view(),


rule wheels_cpu:
    """
    Build the wheels of the cpu variant.
    """
    input:
        lambda _: wheel_stamps("cpu"),


rule wheels_cuda:
    """
    Build the wheels of the cuda variant, for the GPU architectures of variants.cuda.
    """
    input:
        lambda _: wheel_stamps("cuda"),


rule wheels_rocm:
    """
    Build the wheels of the rocm variant, for the GPU architectures of variants.rocm.
    """
    input:
        lambda _: wheel_stamps("rocm"),


rule wheelhouse:
    """
    Show the current wheels, with an index that pip can use: of the variants that this machine can
    run, and of others that are built.
    """
    input:
        lambda _: [WHEELS.wheelhouse_view(variant) for variant in WHEELS.shown_variants()],


rule sources:
    """
    Download and patch the sources of all repos that are used.
    """
    input:
        lambda _: [ARTIFACTS.stamp(SOURCES.source(repo)) for repo in BUILDABLE.repos],


# Where an executor hands jobs to other machines, these go there; the others need the network, or are
# quick.
AWAY = {"wheel", "smoke", "gil_trial", "bench_run", "upstream_tests"}
workflow.localrules(*{rule.name for rule in workflow.rules} - AWAY)

gc.freeze()
gc.enable()

if HEAD:
    known = [rule.name for rule in workflow.rules if not rule.has_wildcards()]
    try:
        refuse_misspelt(TARGETS, [*known, *WORKBENCH])
        if not (ASKED.list_rules or ASKED.list_target_rules):
            refuse_unwritable(Path(".snakemake"))
    except UserError as error:
        stopped(error)
