# The free-threaded interpreter.


rule interpreter:
    """
    Provide and check the free-threaded interpreter.
    """
    output:
        SOURCES.interpreter_stamp(),
    # one that is built here compiles on all cores
    threads: CORES if CONFIG.interpreter.from_source else 1
    log:
        LAYOUT.root / "logs/interpreter.log",
    benchmark:
        LAYOUT.root / "benchmarks/interpreter.tsv"
    script:
        "../scripts/interpreter.py"
