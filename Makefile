# make help lists the targets. Everything runs from .venv, made on first use with python3.11 (or PYTHON=...).

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Which tests run: a pytest marker expression. MARK= runs them all.
MARK ?= not slow

# How many processes run the tests that need not be alone.
JOBS ?= 2

export RAY_ENABLE_UV_RUN_RUNTIME_ENV := 0
export RAY_USAGE_STATS_ENABLED := 0
# Tests start many processes: what one of them has compiled is kept for the next, whatever the user's shell says.
export PYTHONDONTWRITEBYTECODE :=

# Every command ends: interrupted after the given seconds, killed half a minute later.
bounded = timeout --foreground -s INT -k 30 $(1)
# Of the tests that MARK asks for, those of this marker.
chosen = $(if $(strip $(MARK)),($(MARK)) and ,)$(1)

.PHONY: help demo test lint docs bench install clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## run the demonstration on this machine
	@$(call bounded,600) $(BIN)/icm demo

# First the tests that can share the machine, then those that cannot, also where some of the first failed.
# pytest ends with 5 where none is chosen: that is a failure where both do.
test: $(STAMP) ## run the tests that are not slow (MARK= for all, JOBS= processes)
	@shared=0; alone=0; \
	$(call bounded,600) $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m "$(call chosen,not alone)" || shared=$$?; \
	case $$shared in 0|1|5) ;; *) exit $$shared ;; esac; \
	$(call bounded,600) $(BIN)/python -m pytest -q --alone -m "$(call chosen,alone)" || alone=$$?; \
	case $$shared,$$alone in 0,0|0,5|5,0) ;; 1,*) exit 1 ;; *) exit $$alone ;; esac

lint: $(STAMP) ## ruff, mypy and the import contract
	@$(call bounded,120) $(BIN)/ruff check .
	@$(call bounded,120) $(BIN)/ruff format --check .
	@$(call bounded,600) $(BIN)/mypy
	@$(call bounded,120) $(BIN)/lint-imports --no-logo

docs: $(STAMP) ## the documentation with its API reference, into build/site; warnings are errors
	@$(call bounded,300) env NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --config-file .ci/mkdocs.yml

bench: $(STAMP) ## measure the workloads into benchmarks/latest.json
	@$(call bounded,3600) $(BIN)/icm bench --json benchmarks/latest.json

install: $(STAMP) ## make .venv and fill the Numba cache

clean: ## remove .venv, builds and caches
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -path ./.git -prune -o -type d -name __pycache__ -exec rm -rf {} +

# A Python without ensurepip still makes an environment; its own pip then fills it.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "icm-ray needs Python 3.11 or later, and '$(PYTHON)' is none: install python3.11, or name one with make PYTHON=/path/to/python." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 || \
		{ $(PYTHON) -m venv --clear --without-pip $(VENV) && $(call bounded,300) $(PYTHON) -m pip --python $(BIN)/python install -q pip; }
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	@$(call bounded,1200) $(BIN)/python -m pip install -q -c constraints.txt -e ".[demo,test,lint,docs]"
	@echo "Compiling the kernels ..."
	@$(call bounded,600) $(BIN)/python -m icm_ray.ring.warm
	@touch $@
