# Everything a newcomer needs: `make demo` and `make test` set up the rest by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# `make demo` needs the library only; everything else needs the development tools, too.
LIBRARY := $(VENV)/.package-installed
STAMP := $(VENV)/.development-installed

export TF_CPP_MIN_LOG_LEVEL ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NO_MKDOCS_2_WARNING := 1

.PHONY: demo test lint types doctest tests coverage docs notebooks wheel benchmarks clean

# Installed anew only when what is to be installed changes; pip's own cache makes a second environment quick.
$(LIBRARY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else "breastcls needs Python 3.11, 3.12 or 3.13; this is " + sys.version.split()[0] + ". Use: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(STAMP): $(LIBRARY)
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

demo: $(LIBRARY)
	$(BIN)/python examples/quickstart.py --output demo

test: lint types doctest tests docs wheel

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

doctest: $(STAMP)
	$(BIN)/python -m pytest --doctest-modules src/breastcls -q -W ignore::breastcls.errors.BreastclsWarning

tests: $(STAMP)
	# Two processes, each of which loads TensorFlow once. Each begins with one half of the tests in their order, so that
	# what a folder shares is made once; the one that ends first takes tests over from the other.
	$(BIN)/python -m pytest tests --numprocesses 2 --dist worksteal --durations=15

# Slower than `tests`, therefore not part of `make test`; the nightly run in CI shows the same table.
coverage: $(STAMP)
	$(BIN)/python -m pytest tests --numprocesses 2 --dist loadfile --cov=breastcls --cov-report=term:skip-covered

docs: $(STAMP)
	$(BIN)/mkdocs build --strict --site-dir site

# After a change of notebooks/*.md or of what they show: runs them and writes the .ipynb files with outputs.
notebooks: $(STAMP)
	$(BIN)/python notebooks/convert.py
	$(BIN)/ruff format --check notebooks

# The wheel must stand alone: built, installed into an empty environment, imported from elsewhere, used.
wheel: $(STAMP)
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m build --wheel --outdir build/wheel . > build/wheel/build.log || (cat build/wheel/build.log; exit 1)
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --quiet build/wheel/*.whl
	cd build/wheel && venv/bin/python -I ../../tests/installed.py

benchmarks: $(STAMP)
	$(BIN)/python benchmarks/import_time.py

clean:
	rm -rf $(VENV) build dist site demo
