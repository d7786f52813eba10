# The free-threaded interpreter.


rule interpreter:
    """
    Provide and check the free-threaded interpreter.
    """
    output:
        PLAN.interpreter_stamp(),
    log:
        LAYOUT.root / "logs/interpreter.log",
    benchmark:
        LAYOUT.root / "benchmarks/interpreter.tsv"
    script:
        "../scripts/jobs/interpreter.py"
