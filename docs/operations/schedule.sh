#!/bin/sh
# Monitors the months of some use cases every day, for a place without cron, such as a container that nobody runs as root.
#
#   schedule.sh          every day at RAI_AT, until it is stopped
#   schedule.sh once     now, and the exit code says how it went: 0 done, 1 a run stopped or a gate says alarm
#
# RAI_USE_CASES  names with blanks between them
# RAI_AT         time of day, HH:MM, 06:15 by default; TZ says where
# RAI_ENV        Kedro's environment, prod by default
# RAI_LOGIN      file with the login at the MLflow server, read anew for every run; none by default
set -u
: "${RAI_USE_CASES:?names of use cases, such as RAI_USE_CASES=\"loans rents\"}"
at=${RAI_AT:-06:15} environment=${RAI_ENV:-prod} kedro=${RAI_KEDRO:-.venv/bin/kedro}
case $at in
    [01][0-9]:[0-5][0-9] | 2[0-3]:[0-5][0-9]) ;;
    *) echo "RAI_AT is '$at', and no time of day: write it as 06:15." >&2; exit 64 ;;
esac

monitor() { # every use case, whatever becomes of the one before
    failed=0
    for use_case in $RAI_USE_CASES; do
        "$kedro" run --env "$environment" --pipelines "$use_case.monitoring" || failed=1
        code=0
        "$kedro" rai gate --env "$environment" --stage monitoring --use-case "$use_case" || code=$?
        # 2 is insufficient evidence: few rows, and nobody to be woken.
        [ "$code" -eq 0 ] || [ "$code" -eq 2 ] || failed=1
    done
    return "$failed"
}

run() { # in a shell of its own, which forgets the login
    if [ -n "${RAI_LOGIN:-}" ]; then
        # shellcheck disable=SC1090
        (. "$RAI_LOGIN" && monitor)
    else
        monitor
    fi
}

seconds_left() { # until it is that time again; a day of 23 or 25 hours is counted as it is
    now=$(date +%s)
    next=$(date -d "today $at" +%s)
    [ "$next" -gt "$now" ] || next=$(date -d "tomorrow $at" +%s)
    echo $((next - now))
}

if [ "${1:-}" = once ]; then
    run
    exit
fi
# `sleep` in the foreground would keep a stop waiting until the morning.
trap 'kill "$waiting" 2>/dev/null; exit 0' TERM INT
while :; do
    left=$(seconds_left)
    echo "Next: $RAI_USE_CASES at $at, in $left s."
    sleep "$left" &
    waiting=$!
    wait "$waiting"
    run || echo "A run stopped or a gate says alarm; see above." >&2
done
