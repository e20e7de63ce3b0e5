# make run | test | check | docs | bench | calibrate | clean. LOG=path BOARD=name makes `run` replay your own log.
.DEFAULT_GOAL := run
.PHONY: run test check lint pages docs bench calibrate clean

candidates := python3.11 python3 python3.12 python3.13
is_new_enough := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in $(candidates); do \
	"$$p" $(is_new_enough) 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
OUT ?= out
BOARD ?= $(if $(LOG),,jetson-tx2)
checked := edgetwin hw_models calibration benchmarks
pages := tests/conventions/test_pages.py

ifndef EDGETWIN_DATA
ifneq ($(wildcard ../shared/data/README.md),)
export EDGETWIN_DATA := $(abspath ../shared/data)
endif
endif

$(BIN)/python:
	@$(or $(PYTHON),false) $(is_new_enough) 2>/dev/null || { \
	echo "edgetwin needs Python 3.11 or newer: install it, or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1; }
	$(PYTHON) -m venv .venv

.venv/.lean: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[report]'
	@touch $@

.venv/.full: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench,deploy,dev,docs,flower,learn,lm,report,rl,virtual]'
	@touch .venv/.lean $@

run: .venv/.lean
	@test -n "$(BOARD)" || { \
	echo "LOG needs its board, as in: make run LOG=$(LOG) BOARD=jetson-tx2 (see: edgetwin boards)" >&2; \
	exit 2; }
	@rm -rf "$(OUT)/recorded" "$(OUT)/thermal"
ifndef LOG
	$(BIN)/edgetwin run training --board $(BOARD) --policies performance --duration 120 --seeds 1 \
		--out "$(OUT)/recorded"
	$(BIN)/edgetwin replay "$$(ls "$(OUT)"/recorded/performance/*/trace.parquet)" --board $(BOARD)
else
	$(BIN)/edgetwin replay "$(LOG)" --board $(BOARD)
endif
	$(BIN)/edgetwin run thermal --board hikey970 --policies powersave,ondemand,qos-dvfs \
		--scenario mixed-20 --seeds 2 --duration 300 --out "$(OUT)/thermal"
	@echo "Look at it: $(BIN)/edgetwin view $(OUT)/thermal"
	@echo "Next, replay a tegrastats log of your own: make run LOG=tegrastats.log BOARD=jetson-orin-nano"

test: .venv/.full
	$(BIN)/python -m pytest -m "not slow and not alone" --ignore=tests/conventions \
		--numprocesses auto --dist loadfile
	$(BIN)/python -m pytest -m "alone and not slow"

check: .venv/.full
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint pages

lint: .venv/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(checked)
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/conventions --ignore=$(pages)

# In one process, so that what their code needs is compiled once and not by everybody who needs it.
pages: .venv/.full
	$(BIN)/python -m pytest $(pages)

# The site in out/site: broken links, missing pages and names without docstrings are errors.
docs: .venv/.full
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean --quiet

bench: .venv/.full
	$(BIN)/python -m pytest -m slow
	$(BIN)/python -m benchmarks.foundation
	$(BIN)/python -m benchmarks.fidelity
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.product
	$(BIN)/edgetwin reproduce thermal --out $(OUT)/thermal-study

# Boards from measured data in EDGETWIN_DATA: make calibrate, or make calibrate BOARDS=hikey960
calibrate: .venv/.full
	$(BIN)/python -m calibration $(BOARDS)

clean:
	rm -rf .venv build dist out .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
