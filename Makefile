# The first call of a target sets up .venv; later calls use it. A changed pyproject.toml updates it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo test test-slow test-notebooks test-browser lint docs en-base clean

demo: .venv/ready
	$(BIN)/python pipelines/demo.py

test: .venv/ready
	$(BIN)/python -m pytest -n auto

test-slow: .venv/ready
	$(BIN)/python -m pytest -m slow

test-notebooks: .venv/ready
	$(BIN)/python -m pytest -m "" tests/test_notebooks.py

# Needs Chromium, such as Debian's package chromium.
test-browser: .venv/browser-ready
	$(BIN)/python -m pytest -m browser tests/browser

lint: .venv/ready
	$(BIN)/ruff check . && $(BIN)/ruff format --check asr benchmarks pipelines tests && $(BIN)/mypy && $(BIN)/lint-imports

# Writes the documentation site to site/index.html. A broken link is an error.
docs: .venv/docs-ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Trains en-base from random weights in runs/, out of the manifests that data/README.md makes. Fourteen hours of two
# cores; after an interruption, the same command goes on.
CONFIGS := pipelines/configs
STRANGERS := data/strangers
OTHERS := $(addprefix $(STRANGERS)/,librispeech_train.jsonl librispeech_251_train.jsonl speechocean762_train.jsonl) \
	data/kathleen/train.jsonl data/an4/train.jsonl data/asterisk/train.jsonl
LISTS := $(BIN)/python pipelines/list_hypotheses.py --lm asr/models/en-base/lm.ngrams --alpha 0.5 --beam 200

# The model is runs/en-base-final/model.
en-base: $(STRANGERS)/commonvoice_third_nbest_train.jsonl $(STRANGERS)/others_third_nbest_train.jsonl
	$(BIN)/asr train $(CONFIGS)/en-base.yaml
	$(BIN)/python pipelines/average_models.py runs/en-base-ninth/model runs/en-base/model --out runs/en-base-final/model

runs/en-base-fourth/finished: $(patsubst %,$(CONFIGS)/en-base-%.yaml,first second third fourth)

runs/en-base-sixth/finished: $(CONFIGS)/en-base-fifth.yaml $(CONFIGS)/en-base-sixth.yaml \
		$(STRANGERS)/commonvoice_nbest_train.jsonl $(STRANGERS)/others_nbest_train.jsonl

runs/en-base-eighth/finished: $(CONFIGS)/en-base-seventh.yaml $(CONFIGS)/en-base-eighth.yaml runs/en-base-sixth/finished

runs/en-base-tenth/finished: $(CONFIGS)/en-base-ninth.yaml $(CONFIGS)/en-base-tenth.yaml \
		$(STRANGERS)/commonvoice_second_nbest_train.jsonl $(STRANGERS)/others_second_nbest_train.jsonl

$(patsubst %,runs/en-base-%/finished,fourth sixth eighth tenth): | .venv/ready
	$(BIN)/asr train $(filter %.yaml,$^)
	@touch $@

$(STRANGERS)/commonvoice_nbest_train.jsonl: runs/en-base-fourth/finished
	$(LISTS) --hours 6 runs/en-base-fourth/model $(STRANGERS)/commonvoice_train.jsonl --out $@

$(STRANGERS)/others_nbest_train.jsonl: runs/en-base-fourth/finished
	$(LISTS) --hours 6 runs/en-base-fourth/model $(OTHERS) --out $@

$(STRANGERS)/commonvoice_second_nbest_train.jsonl: runs/en-base-eighth/finished
	$(LISTS) --hours 12 runs/en-base-eighth/model $(STRANGERS)/commonvoice_train.jsonl --out $@

$(STRANGERS)/others_second_nbest_train.jsonl: runs/en-base-eighth/finished
	$(LISTS) --hours 12 runs/en-base-eighth/model $(OTHERS) --out $@

AVERAGE := runs/en-base-average/model
$(AVERAGE)/model.json: runs/en-base-tenth/finished
	$(BIN)/python pipelines/average_models.py runs/en-base-ninth/model runs/en-base-tenth/model --out $(AVERAGE)

$(STRANGERS)/commonvoice_third_nbest_train.jsonl: $(AVERAGE)/model.json
	$(LISTS) --hours 12 $(AVERAGE) $(STRANGERS)/commonvoice_train.jsonl --out $@

$(STRANGERS)/others_third_nbest_train.jsonl: $(AVERAGE)/model.json
	$(LISTS) --hours 12 $(AVERAGE) $(OTHERS) --out $@

clean:
	rm -rf .venv demo build site *.egg-info

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.venv/browser-ready: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	@touch $@

.venv/docs-ready: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@
