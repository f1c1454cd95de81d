"""xplain: batch explanations of model decisions.

A command explains a model on the rows of a dataset: each row is split into features, absent
features are replaced by draws from a law, a method gives each feature a weight on the target,
and an output keeps it.

The map, a line per room (calls go down only):

    main         the door: app, signals, error boundary, exit codes
    commands/    what a user types; file = command = function
    options      every command-line option, once
    console      the only file that prints
    job          plan -> chunks -> workers -> parts, in order
    output/      how results are kept (csv, json, jsonl, parquet)
    run          the run folder: parts, manifest, resume, atomic writes
    gates        the language of --fail-on
    explainer    what a worker does with one chunk
    methods/     how features get their weights (lime, its closed form)
    models/      what is explained (pickles, onnx, python callables), and the door they pass
    datasets/    on which rows (tables), read in chunks
    features/    into which parts a row is split, and the law of drawing them
    specs        NAME[:KEY=VALUE,...] -> an object from a shelf
    plan         everything that decides the numbers, and its digest
    targets      which number of the output is explained
    project      xplain.toml, [tool.xplain], XPLAIN_*
    stability    standard errors, predicted reruns, fit
    agreement    how alike two explanations are: rank, sign, top-k
    explanation  Attribution, Records: the values that flow
    errors       what a user can act on, with exit codes
"""

__version__ = "0.1.0"
