# Removing what no configuration reaches.


rule prune:
    """
    List what no configuration reaches, with sizes, and remove it after a yes.
    """
    params:
        reached=lambda _: Answers(PLAN).reached_paths(),
        ask=True,
    log:
        LAYOUT.root / "logs/prune.log",
    script:
        "../scripts/prune.py"


rule prune_now:
    """
    Remove what no configuration reaches, without asking.
    """
    params:
        reached=lambda _: Answers(PLAN).reached_paths(),
        ask=False,
    log:
        LAYOUT.root / "logs/prune_now.log",
    script:
        "../scripts/prune.py"
