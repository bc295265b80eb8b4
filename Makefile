.PHONY: check test format demo bench

check:
	.ci/run

test:
	.ci/test

format:
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

demo:
	.ci/demo

bench:
	.ci/setup bench
	.venv/bin/python -m benchmarks.ring
