# Every target does its own set-up in .venv; needed beforehand: Python 3.11+ with venv and pip, make, git.

PYTHON ?= $(shell scripts/find_python.sh)
BIN := .venv/bin
PACKAGES := qwen_portal langchain_qwen_portal litellm_qwen_portal

TOOLS := .venv/tools.stamp
INSTALLED := .venv/wheel.stamp
# With the folders, whose time changes when a file goes away.
WHEEL_PARTS := $(shell find $(PACKAGES) -not -path '*/__pycache__*') pyproject.toml README.md LICENSE

# PYTHONSAFEPATH keeps the checkout off sys.path, in child processes too: what is tested is the installed wheel.
TEST_ENV := PYTHONSAFEPATH=1 TESTED_WHEEL_DIR=$(CURDIR)/dist

# A worker for each core. Neighbours stay on one worker, which makes a module's fixtures once; who is done early takes of
# what the others have not begun.
ON_ALL_CORES := -n logical --dist worksteal

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-real lanes peers torture soak soak-peers mutants fuzz lint format types bench dist record
.PHONY: requirements clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 16

demo: $(INSTALLED) ## sign in, LangChain, LiteLLM, against the embedded emulator; no account, no network
	$(BIN)/qwen-portal demo

test: $(INSTALLED) ## the test suite against the built wheel, with its coverage gate; no network
	@echo "The test suite, on all cores (ten minutes on two of them)."
	$(BIN)/coverage erase
	$(TEST_ENV) $(BIN)/coverage run $(BIN)/pytest -m "not real" $(ON_ALL_CORES)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	@echo "The emulator, apart (a test instrument; --omit replaces the configured omission of it):"
	$(BIN)/coverage report --omit=nothing --include='qwen_portal/emulator/*' --fail-under=0
	$(BIN)/coverage json -q -o - | $(BIN)/python scripts/branch_coverage.py --at-least 90

test-real: $(INSTALLED) ## the parts of a real system: Secret Service, the qwen CLI; installs them (apt, npm)
	scripts/install_real_parts.sh
	$(TEST_ENV) scripts/test_real.sh $(BIN)/pytest -m real

lanes: $(INSTALLED) ## the doors on other LangChain, openai and LiteLLM, pinned (these gate) and newest (reports); all on other Pythons
	scripts/lanes.sh $(BIN)/python dist/*.whl $(LANES)

peers: $(INSTALLED) ## ChatQwenPortal beside five other chat models: one table, the same checks for each
	scripts/peers.sh $(BIN)/python dist/*.whl $(PEERS)

torture: $(INSTALLED) ## every danger to a sign-in 200 times instead of 5, the load and the ledger in full; TORTURE=n for n
	TORTURE=$(or $(TORTURE),200) $(TEST_ENV) $(BIN)/pytest tests/login_never_lost tests/quota/test_quota_load.py tests/usage/test_dangers.py

soak: $(INSTALLED) ## half an hour of 200 streams at once, faults, cancellations, clock jumps; SOAK=seconds
	$(TEST_ENV) $(BIN)/python tests/soak $(or $(SOAK),1800)

soak-peers: $(INSTALLED) ## the same for httpx by hand, msal-extensions and LiteLLM's Copilot authenticator; SOAK=seconds
	scripts/soak_peers.sh $(BIN)/python $(or $(SOAK),300)

mutants: $(TOOLS) ## put known faults into a copy of the code and see that the tests find each of them
	$(BIN)/python scripts/mutants.py

fuzz: $(TOOLS) ## ten minutes of made-up input for each reader of what others wrote (atheris); FUZZ=seconds TARGETS=names
	scripts/fuzz.sh $(BIN)/python $(or $(FUZZ),600) $(TARGETS)

lint: $(TOOLS) ## ruff: rules and format; which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

format: $(TOOLS) ## let ruff mend what it can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

types: $(TOOLS) ## mypy --strict
	$(BIN)/mypy --strict

bench: $(INSTALLED) ## how long --help and status take, against a bare interpreter; what streams cost, against ChatOpenAI, and what counting costs
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/streams.py
	$(BIN)/python benchmarks/usage.py

dist: ## sdist and wheel into dist/, built anew, and the test suite against that wheel
	rm -f $(INSTALLED)
	$(MAKE) test

record: $(TOOLS) ## record the cassettes again, from the embedded emulator; no account, no network
	$(BIN)/python -m tests.cassettes.record
	$(BIN)/python -m pytest tests/langchain/test_standard.py -k stream_time --record-mode=rewrite -W ignore:Benchmark

requirements: $(TOOLS) ## resolve requirements/*.txt; UPGRADE=--upgrade moves the pins
	scripts/compile_requirements.sh $(BIN)/uv $(UPGRADE)

clean: ## remove everything the targets made
	rm -rf .venv .fuzz .lanes .peers .real dist .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.*

$(TOOLS): requirements/dev.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or later with venv was found. Install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "First, once: a Python environment in .venv (some seconds)."
	@$(PYTHON) -m venv --clear .venv
	@echo "Then the $$(grep -c == $<) pinned packages of $< into it (one to three minutes; pip is quiet meanwhile)."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

# The wheel is built from the sdist, so the sdist is known to be complete.
$(INSTALLED): $(TOOLS) $(WHEEL_PARTS)
	@echo "Building sdist and wheel into dist/, and installing the wheel (ten to twenty seconds)."
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist >.venv/build.log 2>&1 || { cat .venv/build.log >&2; exit 1; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-index --no-deps --force-reinstall dist/*.whl
	@$(BIN)/python -m pip check
	@touch $@
