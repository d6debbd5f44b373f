# make demo   make a first dataset from the embedded sounds, in a virtual environment of its own
# make test   lint, types, tests
# make nightly   all that make test tries a few times, in full
PYTHON ?= python3
VENV ?= .venv
SHARED ?= ../shared
DEMO ?= demo
BIN := $(VENV)/bin

# Real recordings for tests lie beside the checkout where they are to be had; elsewhere the tests that need them stay out.
MARKERS := not peers and not ray and not wheel and not soundfont and not browser and not docs$(if $(wildcard $(SHARED)),, and not shared)
# A module stays in one process: its fixtures are made once. tests/conftest.py puts the longest modules first.
JOBS ?= 2
PARALLEL := -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: demo test nightly docs-test wheel-test floors-test browser-test soundfont-test ray-test fuzz peers-test lock clean

demo: $(VENV)/.installed
	$(BIN)/clear-gen scenes --n 100 --out $(DEMO)
	$(BIN)/clear-gen questions $(DEMO)
	$(BIN)/clear-gen show $(DEMO) --out $(DEMO)/scene.png
	@echo
	@echo "The dataset is in $(DEMO)/, a picture of its first scene in $(DEMO)/scene.png."
	@echo "clear-gen is in $(BIN)/; '. $(BIN)/activate' puts it on the PATH of this shell. Next:"
	@echo "  $(BIN)/clear-gen --help"
	@echo "  $(BIN)/clear-gen answer $(DEMO) --question train-000000-0 --trace"
	@echo "  $(BIN)/clear-gen validate $(DEMO) --all"
	@echo "  $(BIN)/clear-gen scenes --n 1000 --out clear2"
	@echo "  $(BIN)/clear-gen bank show $(DEMO)/bank/train.parquet --out sounds.html   # and listen"

# Commands that tests start in processes of their own would else compile the packages each time.
test nightly: export PYTHONDONTWRITEBYTECODE=

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@$(if $(wildcard $(SHARED)),,echo "note: no recordings in $(SHARED); the tests marked 'shared' stay out")
	CLEAR_SHARED=$(abspath $(SHARED)) $(BIN)/pytest $(PARALLEL) -m "$(MARKERS) and not nightly"

nightly: $(VENV)/.installed-dev
	CLEAR_NIGHTLY=1 CLEAR_SHARED=$(abspath $(SHARED)) $(BIN)/pytest $(PARALLEL) -m "$(MARKERS)"

docs-test: $(VENV)/.installed-dev
	CLEAR_SHARED=$(abspath $(SHARED)) $(BIN)/pytest -m "docs$(if $(wildcard $(SHARED)),, and not shared)"

wheel-test: $(VENV)/.installed-dev
	$(BIN)/pytest -m wheel

# The oldest versions that pyproject.toml promises. Old versions warn of what newer ones of others have deprecated.
FLOORS := $(VENV)-floors
floors-test:
	$(PYTHON) -m venv $(FLOORS)
	$(PYTHON) -m tests.floors constraints > $(FLOORS)/constraints.txt
	$(FLOORS)/bin/python -m pip install -q -c $(FLOORS)/constraints.txt -e '.[dev,formats,ray,soundfont]'
	CLEAR_SHARED=$(abspath $(SHARED)) $(FLOORS)/bin/python -m pytest -W default \
		-m "not nightly and not peers$(if $(wildcard $(SHARED)),, and not shared)" $$($(PYTHON) -m tests.floors tests)

browser-test: $(VENV)/.installed-dev
	$(BIN)/pytest -m browser

soundfont-test: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -q -c requirements.lock -e '.[soundfont]'
	CLEAR_SHARED=$(abspath $(SHARED)) $(BIN)/pytest -m soundfont

ray-test: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -q -c requirements.lock -e '.[ray]'
	$(BIN)/pytest -m ray

fuzz: $(VENV)/.installed-dev
	for target in manifest domain graph; do $(BIN)/python -m tests.fuzz $$target --seconds 600 || exit 1; done

# dcase_util, which sed_eval needs, takes pkg_resources from an older setuptools; psds_eval breaks on newer NumPy, pandas.
peers-test: $(BIN)/python
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/pip install -q -c constraints.txt -e '.[dev]' librosa six scikit-learn==1.9.1 sed_eval==0.2.1 \
		dcase_util==0.2.20 'setuptools<81' psds_eval==0.5.3 'numpy<2.4' 'pandas<3'
	$(VENV)-peers/bin/pip install -q --no-deps timbral_models==0.4.0
	CLEAR_SHARED=$(abspath $(SHARED)) $(VENV)-peers/bin/python -m pytest -m peers

# The newest versions that constraints.txt allows; run it on the oldest supported Python, then make test.
lock: $(BIN)/python
	$(BIN)/python -m pip install --quiet --dry-run --ignore-installed --report $(VENV)/lock.json -c constraints.txt \
		'.[dev,formats,ray,soundfont]'
	$(BIN)/python -c "$$FREEZE" < $(VENV)/lock.json > requirements.lock
	rm $(VENV)/lock.json

define FREEZE
import json, sys
found = [item["metadata"] for item in json.load(sys.stdin)["install"]]
pinned = [f"{one['name']}=={one['version'].partition('+')[0]}" for one in found if one["name"] != "clear-gen"]
print("# Every dependency that make installs, pinned. Written by make lock.", *sorted(pinned, key=str.lower), sep="\n")
endef
export FREEZE

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml requirements.lock | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[figures]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml requirements.lock | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) $(VENV)-peers $(VENV)-floors $(DEMO) build dist *.egg-info
