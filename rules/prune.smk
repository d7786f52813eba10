# Removing what the present configuration does not reach.


rule prune:
    """
    List what the configuration does not reach, with sizes, and remove it after a yes.
    """
    params:
        reached=lambda _: list(map(str, PLAN.reached())),
        ask=True,
    log:
        LAYOUT.root / "logs/prune.log",
    script:
        "../scripts/jobs/prune.py"


rule prune_now:
    """
    Remove what the configuration does not reach, without asking.
    """
    params:
        reached=lambda _: list(map(str, PLAN.reached())),
        ask=False,
    log:
        LAYOUT.root / "logs/prune_now.log",
    script:
        "../scripts/jobs/prune.py"
