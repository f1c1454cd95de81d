"""xplain: batch explanations of model decisions.

A command explains a model on the rows of a dataset: each row is split into features, absent
features are replaced by draws from a law, a method gives each feature a weight on the target,
and an output keeps it.

The map, a line per room (calls go down only):

    main           the door: app, signals, error boundary, exit codes
    commands/      what a user types; file = command = function
    options        every command-line option, once
    picture_options  those of pictures alone
    baseline_options  those of baselines alone
    job_options    more of them: precision, shards, workers, logs
    project        xplain.toml, [tool.xplain], XPLAIN_*
    request        what was resolved becomes a Request
    settings       which settings there are, and which values they allow
    kinds          of which kind the value of a setting is
    job            plan -> chunks -> workers -> parts, in order
    delivering     runs whose folder is on another machine
    comparing      one job under several baselines, and how far they agree
    evaluating     a finished run measured on the model again
    merging        runs on slices of the same rows become one
    budgeting      what --budget becomes: samples, once
    explaining     the rows of a run: what is missing is read, spread, kept
    preparing      everything opened, chosen and planned
    workers        how chunks are spread: serially, over threads, over processes
    cluster        a Dask cluster as workers
    crew           worker processes that may die, and what is saved then
    manifest       what a run says of itself
    estimate       what a run will cost (--dry-run)
    demand         model inputs and seconds, by the samples
    heatmaps       the pictures of a run: what weighs where
    vocabulary     the units of a corpus, summed up
    report         one HTML page of a finished run
    picking        which explanations a page shows
    statements     what a page states of a run: words, three lines, origin
    verdict        gates, failed rows, the exit code
    choosing       method, target, scale and budget as objects
    opening        model and data opened and checked
    modalities/    what the rows of a command are (tables, texts, pictures)
    reading        kinds of columns, and which rows can be used
    categories     categories that the model was not fitted with
    progress       how far a run is: rate, model inputs, time left
    console        the only file that prints
    output/        how results are kept (csv, json, jsonl, parquet) and shown (pages, maps)
    joining        parts, in order, become the asked-for files
    run            the run folder: new, resumed or finished
    clashes        what stands in the way of a run
    processes      worker processes that end with their parent
    locks          one process at a time in a run folder
    places         where files stand; whole files or none
    parts          the stored form of one chunk
    archive        a finished run, found again from any file of it
    gates          the judgement of --fail-on
    gate_language  the reading of --fail-on
    chunks         one chunk in one process, and what it took
    explainer      what a worker does with one chunk
    refining       long texts from coarse to fine
    grounding      rows get their baselines
    answering      the model's answers on the rows themselves
    asking         what methods ask of a model, answered together
    memory         which masks a row is asked on: each once, none again
    records        an attribution becomes lines
    pool           the draws that all rows share, predicted once
    methods/       how features get their weights (lime on draws and on masks)
    baselines/     what a row is compared with (mean, sample, nearest of a class, ...)
    batches        model batches of one fixed size
    models/        what is explained (pickles, onnx, python callables), and the door they pass
    datasets/      on which rows (tables), read in chunks
    features/      into which parts a row is split, and the law of drawing them
    targets        which number of the output is explained
    scales         on which scale: probability, log-odds, raw
    specs          NAME[:KEY=VALUE,...] -> an object from a shelf
    plan           everything that decides the numbers, and its digest
    summary        what a run says as a whole
    stability      standard errors, predicted reruns, fit
    goals          when a row has been asked enough (--max-rel-se)
    agreement      how alike two explanations are: rank, sign, top-k
    remote         addresses of other machines: copies, and what messages call them
    seeds          every random stream, by purpose
    explanation    Attribution, Records: the values that flow
    errors         what a user can act on, with exit codes
"""

__version__ = "0.1.0"
