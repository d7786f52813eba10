"""A pytest plugin: files of tests are spread over workers, and one that crashes costs one test.

pytest-xdist's own `--dist=loadfile` hands the test that crashed a worker to the next one, which
crashes as well; the one that replaces it waits for ever where the first file that it gets has one
test; what pytest-timeout says of a worker that hangs is lost; and the process that hands tests out
loads what they load, though it runs none. Runs inside a test environment, with `-p snakedev_files`.
"""

import os

import pytest
from _pytest.config import create_terminal_writer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController


class Files(LoadFileScheduling):
    """Files to workers, each test once."""

    def remove_node(self, node: WorkerController) -> str | None:
        """Take back what a worker that ended has not run; returns the test that it crashed in."""
        work = self.assigned_work.pop(node)
        for tests in work.values():
            for test, done in tests.items():
                if not done:
                    tests[test] = True
                    left = {file: one for file, one in work.items() if not all(one.values())}
                    self.workqueue.update(left)
                    for other in self.assigned_work:
                        self._reschedule(other)
                    return str(test)
        return None

    def _reschedule(self, node: WorkerController) -> None:
        """Give a worker two tests at least, or tell it that there are no more: it runs none before
        it knows what comes next."""
        super()._reschedule(node)
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> None:
    """Leave a project's conftest files to the workers, unless options are known to them alone."""
    unknown = parser.parse_known_and_unknown_args(args)[1]
    if "PYTEST_XDIST_WORKER" not in os.environ and not unknown:
        early_config.known_args_namespace.noconftest = True


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have a worker tell on standard error what it has to tell as it ends."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and hasattr(config, "workerinput"):
        # as it is before tests: then it is captured
        errors = open(os.dup(2), "w", encoding="utf-8", errors="replace")  # noqa: SIM115
        reporter._tw = create_terminal_writer(config, errors)


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Files:
    """Have pytest-xdist use it."""
    return Files(config, log)
