# Two commands do all: `make smoke` and `make test`. Both set up .venv from envs/tools.lock first.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.tools
CLUSTER := .venv-cluster/bin
CLUSTER_READY := .venv-cluster/.tools
DOCS := .venv-docs/bin
DOCS_READY := .venv-docs/.tools

# what would lead pip elsewhere than into the environment, or keep its Python from starting
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_REQUIRE_VIRTUALENV PIP_PYTHON
unexport PYTHONHOME PYTHON_GIL PYTHONPATH PYTHONPLATLIBDIR PYTHONSAFEPATH
# containers set it; each start of Snakemake would compile all that it imports, for three seconds
unexport PYTHONDONTWRITEBYTECODE

.PHONY: smoke test e2e cluster bench stress chaos lint docs

# Build what is needed, run inference, write results/reports/smoke.html.
smoke: $(READY)
	$(BIN)/snakemake smoke_report

# The fast tests: unit tests and real workflow runs on small repositories.
test: $(READY) $(CLUSTER_READY)
	$(BIN)/snakemake interpreter
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# The real CPU path, from sources to the report, in a fresh clone; or a part of its tests. The first
# failure ends it: the others go on in the same clone, for long. E2E_CLONE=FOLDER keeps the clone
# there, and goes on in it the next time. E2E=sanitizer needs a repository of CPython in
# CPYTHON_REPOSITORY, and a tag or commit in CPYTHON_REF.
E2E ?= smoke identity change_a_patch upstream_tests
export E2E_CLONE CPYTHON_REPOSITORY CPYTHON_REF
e2e: $(READY)
	$(BIN)/python -m pytest -s -x -m e2e --durations=0 --durations-min=5 $(E2E:%=tests/e2e/test_%.py)

# The tools with the executors that hand jobs to Slurm and to Kubernetes, in .venv-cluster.
cluster: $(CLUSTER_READY)
	@echo "$(CLUSTER)/snakemake --workflow-profile profiles/slurm smoke_report"

# Figures: start-up of the workflow, and builds (after `make smoke`).
# BENCH=cuda times builds for NVIDIA GPUs, for hours; BENCH=scheduling vLLM's scheduler, for minutes.
BENCH ?= dry_run builds
bench: $(READY)
	set -e; for part in $(BENCH); do $(BIN)/python -m tools.benchmarks.$$part; done

# Many threads on shared vLLM objects with the GIL off, for MINUTES and what loading takes. SEED and
# SCENARIO (one or more) repeat a run; ARGS are for snakemake, which makes environment and model.
MINUTES ?= 3
stress: $(READY)
	$(BIN)/snakemake env_cpu models $(ARGS)
	$(BIN)/python -m tools.stress $(SCENARIO) --minutes $(MINUTES) $(SEED:%=--seed %)

# Faults on purpose, on a small workflow, for MINUTES: kills, full disks, a network that cheats, bytes
# that change, hostile inputs. SEED and CHAOS (KIND, KIND.SCENARIO or KIND.SCENARIO.ROUND) repeat
# what was done; CHAOS=real kills the real workflow 20 times, which downloads some 5 GB.
chaos: MINUTES = 25
chaos: $(READY)
	$(BIN)/snakemake interpreter
	$(BIN)/python -m tools.chaos --minutes $(MINUTES) $(CHAOS:%=--only %) $(SEED:%=--seed %)

# The checks of style.
lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy

# The documentation as a site, in results/docs; a link inside it that leads nowhere is an error.
# LINKS=external looks at those that lead out, too.
docs: $(DOCS_READY)
	$(DOCS)/sphinx-build -q -E -W --keep-going -c docs . results/docs
	$(if $(filter external,$(LINKS)),$(DOCS)/sphinx-build -q -b linkcheck -c docs . results/docs/links)
	@echo "results/docs/index.html"

# A virtual environment with exactly what a lock pins. Only uv comes by pip, which takes ten times as
# long; what pip is set to, uv is told.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "$(PYTHON) is missing or older than 3.11: install Python 3.11 or later, or run make PYTHON=/path/to/it"; exit 1; }
	@$(PYTHON) -m venv --clear $(@D) || \
	  { echo "$(PYTHON) has no venv module: install it (Debian, Ubuntu: apt-get install python3-venv)"; exit 1; }
	@awk '/^[^ ]/ { of_uv = /^uv==/ } of_uv' envs/tools.lock >$(@D)/uv.lock
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	  --only-binary :all: -r $(@D)/uv.lock
	$(@D)/bin/python -m snakedev.fetch.indexes $(@D)/bin/uv pip sync --quiet --require-hashes \
	  --no-build --python $(@D)/bin/python $<
	@touch $@
endef

# user.pth gives a name and a home folder to users that have none.
$(READY): envs/tools.lock tools/user.pth
	$(environment)
	@cp tools/user.pth $(@D)/lib/python3.*/site-packages/

$(CLUSTER_READY): envs/cluster.lock tools/user.pth
	$(environment)
	@cp tools/user.pth $(@D)/lib/python3.*/site-packages/

$(DOCS_READY): envs/docs.lock
	$(environment)
