#!/usr/bin/env bash
# Check the GPU kernels against float64 and time them, in one call of under 10 minutes.
# Writes gpu.json into $OUT (default benchmarks/results); says so and stops where there is no GPU.
# PYTHON chooses the interpreter; arguments are passed on (--dry, --limit-minutes).
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
exec "${PYTHON:-python3}" -m benchmarks.gpu --out "${OUT:-$root/benchmarks/results}" "$@"
