#!/usr/bin/env bash
# Two versions of a model explained, checked, and compared: fails where the reasons changed.
#   pipeline.sh OLD_MODEL NEW_MODEL DATA
set -euo pipefail

old=$1 new=$2 data=$3

xplain tabular "$old" "$data" --id-column id -o runs/old --quiet
xplain tabular "$new" "$data" --id-column id -o runs/new --quiet --fail-on 'count(failed)>0' --junit reports/quality.xml
xplain verify runs/new --model "$new" --data "$data" --check-rows 5 --junit reports/verify.xml
xplain diff runs/old runs/new -o runs/diff --fail-on 'share(first_reason_changed)>5%' --junit reports/drift.xml
