# Two commands on a fresh machine: `make demo` and `make test`. Both make the virtual environment
# first, with uv where it can be had, else with pip.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest
ROOMS := configs tiles detect models clues web flows
SIDE_BY_SIDE := -n 2 --dist loadfile

.PHONY: help setup demo test test-desk test-slow test-long check format ci-deps bench bench-scene \
  bench-full bench-compare bench-accuracy coverage pictures gallery reference licences docs \
  acceptance dist clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## make the virtual environment

$(READY): pyproject.toml constraints.txt
	@echo "== setting up $(VENV) (about one minute, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@UV=$$(command -v uv || true); \
	if [ -z "$$UV" ] && $(BIN)/python -m pip install -q --disable-pip-version-check uv 2>/dev/null; then \
	  UV=$(BIN)/uv; fi; \
	if [ -n "$$UV" ]; then \
	  $$UV pip install --python $(BIN)/python -c constraints.txt -e ".[test,dev]"; \
	else \
	  $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[test,dev]"; \
	fi
	@touch $(READY)

demo: $(READY)  ## run the demo county from images to clue list (minutes)
	@start=$$(date +%s); $(BIN)/tuban demo --out runs/demo; code=$$?; \
	echo "== make demo took $$(( $$(date +%s) - start )) s"; exit $$code

test: $(READY)  ## the quick tests
	@start=$$(date +%s); $(PYTEST) $(SIDE_BY_SIDE) -m "not slow and not desk and not long" --durations=15; code=$$?; \
	echo "== make test took $$(( $$(date +%s) - start )) s"; exit $$code

test-desk: $(READY)  ## tests that need parts from Debian (see ci-deps)
	@$(PYTEST) $(SIDE_BY_SIDE) -m "desk and not long" --durations=10 || test $$? -eq 5

test-slow: $(READY)  ## faults, invariance and accuracy at full length
	@$(PYTEST) $(SIDE_BY_SIDE) -m "slow and not desk and not long" --durations=25

test-long: $(READY)  ## more seeds, tilings and drawn examples (not part of a landing)
	@$(PYTEST) -m long --durations=25
	@TUBAN_EXAMPLES=fresh $(PYTEST) -m "hypothesis and not desk and not long"

coverage: $(READY)  ## lines of each room that tests work, kernels interpreted on small arrays too (hours)
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(SIDE_BY_SIDE) -q -m "not desk and not long"
	$(BIN)/coverage run -m pytest -q -m "desk and not long"
	$(BIN)/coverage run -m pytest -q -m long tests/detect/test_interpreted.py
	@$(BIN)/coverage combine -q
	$(BIN)/coverage report
	@for room in $(ROOMS); do echo "$$room $$($(BIN)/coverage report --include="$$room/*" --format=total --fail-under=90) %" || exit 1; done

check: $(READY)  ## style, types, floors, spelling, sizes, what nothing uses, security
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell --skip "*.ttf,*.json,./.venv,./runs,./.git,constraints.txt,*/static/vendor/*" .
	$(BIN)/vulture
	$(BIN)/bandit -q -r $(ROOMS) -c pyproject.toml

format: $(READY)  ## let ruff format everything
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

DEBIAN := postgresql postgresql-15-postgis-3 chromium libreoffice-calc libreoffice-writer

ci-deps:  ## install what the desk tests need from Debian 12 (as root): PostGIS, Chromium, LibreOffice
	@dpkg -s $(DEBIAN) >/dev/null 2>&1 || { \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -qy --no-install-recommends $(DEBIAN); }

bench: $(READY)  ## beside peers and the limits of the machine, short (15 minutes on two idle cores)
	$(BIN)/python -m benchmarks.suite short --write

bench-scene: $(READY)  ## one Sentinel-2 scene of 10,980 x 10,980 pixels, one turn (half an hour)
	$(BIN)/python -m benchmarks.suite scene --write

bench-full: $(READY)  ## the same at full size, to 30,000 x 30,000 pixels (an hour or more, 40 GB of disk)
	$(BIN)/python -m benchmarks.suite full --write --drop

bench-compare: $(READY)  ## what is more than a fifth worse than the committed table (RESULTS=FILE)
	$(BIN)/python -m benchmarks.suite compare $(if $(RESULTS),--results $(RESULTS))

bench-accuracy: $(READY)  ## accuracy on labelled pairs and the cross-check beside its peer
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.crosscheck

pictures: $(READY)  ## the pictures of the documentation, from a fresh demo run (minutes)
	@rm -rf runs/pictures; $(BIN)/tuban demo --out runs/pictures && \
	$(BIN)/python docs/pictures.py runs/pictures/demo-*

gallery: $(READY)  ## the pages of the notebooks, which are run
	$(BIN)/python docs/gallery.py

reference: $(READY)  ## the pages of commands and of config keys
	$(BIN)/python docs/reference.py

licences: $(READY)  ## the list of licences, of the versions that are pinned
	$(BIN)/python docs/licences.py

docs: $(READY)  ## the documentation as a site, in site/; nothing in it is fetched from the net
	$(BIN)/python -m mkdocs build --strict

acceptance: $(READY)  ## the quick tests that docs/acceptance.md names
	$(PYTEST) -m "not slow and not desk and not long" \
	  $$(grep -oE 'tests/[a-z_/]+\.py::[a-z_]+' docs/acceptance.md | sort -u)

dist: $(READY)  ## wheel, source archive with the recipe of the image, bill of materials, in dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python docs/licences.py --sbom dist/tuban.cdx.json

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
