# Everything a newcomer does, by name. The work itself is in CMake (CMakePresets.json) and tools/.
SHELL := bash
.SHELLFLAGS := -o pipefail -ec

PRESET ?= release
HOST ?= 127.0.0.1
PORT ?= 8000
MODEL ?= models/demo
PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
PARO = build/$(PRESET)/paro

.PHONY: help serve test test-arm64 build install package bench bench-peers bench-serving soak bench-memory contract compat \
        load count-instructions format check-format tidy fuzz venv packages clean

help:
	@echo "make serve         build, and serve $(MODEL) on $(HOST):$(PORT)"
	@echo "make test          build, and run every test"
	@echo "make test-arm64    run the tests of the ARM kernels in an emulator"
	@echo "make build         install what is missing and write build/$(PRESET)/paro (PRESET=dev, asan, tsan, ...)"
	@echo "make install       put what is built under PREFIX (/usr/local), DESTDIR before it"
	@echo "make package       build, and write a Debian package to build/$(PRESET)"
	@echo "make bench         measure $(MODEL) on this machine"
	@echo "make bench-peers   measure against llama.cpp, write docs/performance.md (hours, 15 GB; QUICK=1, THREADS=, PEER=)"
	@echo "make bench-memory  measure tokens/s over memory, write docs/memory.md (an hour, 12 GB; QUICK=1, THREADS=, PEER=)"
	@echo "make soak          load servers of small budgets, and hold them to their plans (MINUTES=30, 4 GB; QUICK=1)"
	@echo "make compat        run llama.cpp's server tests against the server, write docs/compat.md (two minutes, 100 MB)"
	@echo "make load          64 clients on the demo model, held to what alone was answered (MINUTES=5, FLAGS=)"
	@echo "make bench-serving measure the server, beside llama-server (20 minutes, 6 GB)"
	@echo "make contract      hold the server to its OpenAPI document (EXAMPLES=20000, SEED=)"
	@echo "make count-instructions   hold instruction counts against the record (RECORD=1 records)"
	@echo "make fuzz          run every fuzz target (SECONDS_EACH=60)"
	@echo "make format        rewrite the sources as .clang-format says; check-format only looks"
	@echo "make tidy          run clang-tidy"

packages:
	@tools/install_packages.sh

build: packages
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET) -j $(JOBS)

# Builds nothing, so that root may run it over what a user has built.
install:
	DESTDIR='$(DESTDIR)' cmake --install build/$(PRESET) --prefix '$(PREFIX)' --strip

package: build
	@tools/install_packages.sh packaging
	cpack --config build/$(PRESET)/CPackConfig.cmake

serve: build
	@echo
	@echo "Once it listens, ask it from another terminal:"
	@echo "  curl http://$(HOST):$(PORT)/v1/chat/completions -H 'Content-Type: application/json' \\"
	@echo "    -d '{\"messages\": [{\"role\": \"user\", \"content\": \"What is the capital of France?\"}], \"temperature\": 0}'"
	@echo
	$(PARO) serve $(MODEL) --host $(HOST) --port $(PORT)

test: build venv
	ctest --preset $(PRESET) -j $(JOBS) $(CTEST_FLAGS)

test-arm64:
	@tools/install_packages.sh arm64
	cmake --preset arm64
	cmake --build --preset arm64 -j $(JOBS)
	ctest --preset arm64 -j $(JOBS) $(CTEST_FLAGS)

venv: build/venv/.installed

build/venv/.installed: tests/requirements.txt | packages
	python3 -m venv build/venv
	build/venv/bin/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	@touch $@

bench: build
	$(PARO) bench $(MODEL)

# PEER=PATH measures the llama-bench at PATH as well, under PEER_NAME, with PEER_ARGS; the llama-batched-bench beside it
# with PEER_BATCHED_ARGS. ONLY=WORD measures those works alone whose names hold it (moe-speed, depth-q8, load, ...).
PEERS = build/peers
bench-peers: PRESET = release
bench-peers: build $(PEERS)/venv/.installed
	PYTHON=$(PEERS)/venv/bin/python JOBS=$(JOBS) tools/peers/build_llama_cpp.sh $(PEERS)/llama.cpp
	$(PEERS)/venv/bin/python tools/peers/measure.py build/release/paro $(PEERS) --threads $(or $(THREADS),2) \
	  $(if $(QUICK),--quick) $(if $(ONLY),--only '$(ONLY)') $(if $(PEER),--peer '$(PEER)') $(if $(PEER_NAME),--peer-name '$(PEER_NAME)') \
	  $(if $(PEER_ARGS),--peer-args='$(PEER_ARGS)') $(if $(PEER_BATCHED_ARGS),--peer-batched-args='$(PEER_BATCHED_ARGS)')
	$(PEERS)/venv/bin/python tools/peers/performance_report.py $(PEERS)/results docs

# PEER=PATH is a llama-bench that is there already, and PEER_ARGS are the flags with which it maps its file.
MEMORY = build/memory
bench-memory: PRESET = release
bench-memory: build $(PEERS)/venv/.installed
	$(if $(PEER),,PYTHON=$(PEERS)/venv/bin/python JOBS=$(JOBS) tools/peers/build_llama_cpp.sh $(PEERS)/llama.cpp)
	$(PEERS)/venv/bin/python tools/memory/bench_memory.py build/release/paro $(MEMORY) --threads $(or $(THREADS),2) \
	  $(if $(QUICK),--quick) $(if $(PEER),--peer '$(PEER)') $(if $(PEER_ARGS),--peer-args='$(PEER_ARGS)')
	$(PEERS)/venv/bin/python tools/memory/memory_report.py $(MEMORY)/results/memory-curve.json docs

soak: PRESET = release
soak: build
	tools/memory/soak.py build/release/paro --folder $(MEMORY) --minutes $(or $(MINUTES),30) $(if $(QUICK),--quick)

$(PEERS)/venv/.installed: tools/peers/requirements.txt | packages
	python3 -m venv $(PEERS)/venv
	$(PEERS)/venv/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# FLAGS are for paro serve: FLAGS="--max-batch 16".
load: PRESET = release
load: build
	tools/load/load.py build/release/paro --minutes $(or $(MINUTES),5) $(if $(FLAGS),--flags '$(FLAGS)')

# The demo model from 1 to 16 clients, then 6 layers of Gemma 4 26B-A4B beside llama-server.
bench-serving: PRESET = release
bench-serving: build $(PEERS)/venv/.installed
	PYTHON=$(PEERS)/venv/bin/python JOBS=$(JOBS) tools/peers/build_llama_cpp.sh $(PEERS)/llama.cpp
	tools/load/throughput.py build/release/paro --requests 8 --json $(PEERS)/results/serving-demo.json
	$(PEERS)/venv/bin/python tools/load/compare_servers.py build/release/paro $(PEERS)

# The tests are llama.cpp's own, fetched to build/compat; COMPAT="unit/test_basic.py -k props" runs some of them, without the report.
compat: PRESET = release
compat: build build/compat/venv/.installed
	build/compat/venv/bin/python tools/compat/run.py build/release/paro build/compat \
	  $(if $(COMPAT),$(COMPAT),--report docs/compat.md)

build/compat/venv/.installed: tools/compat/requirements.txt | packages
	python3 -m venv build/compat/venv
	build/compat/venv/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# schemathesis asks the server what its OpenAPI document allows and what it does not. SEED=N repeats a run.
contract: PRESET = release
contract: build build/contract/venv/.installed
	build/contract/venv/bin/python tools/contract/check_contract.py build/release/paro \
	  --examples $(or $(EXAMPLES),20000) $(if $(SEED),--seed $(SEED))

build/contract/venv/.installed: tools/contract/requirements.txt | packages
	python3 -m venv build/contract/venv
	build/contract/venv/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

count-instructions: packages
	@tools/install_packages.sh counting
	cmake --preset release
	cmake --build --preset release -j $(JOBS) --target count_steps
	tools/instruction_counts.py build/release $(if $(RECORD),--record)

fuzz: packages
	tools/fuzz.sh $(or $(SECONDS_EACH),60)

format:
	git ls-files '*.cpp' '*.h' | xargs clang-format -i

check-format:
	git ls-files '*.cpp' '*.h' | xargs clang-format --dry-run -Werror

tidy: build
	git ls-files 'src/*.cpp' | xargs -P $(JOBS) -n 4 clang-tidy -p build/$(PRESET) --quiet

clean:
	rm -rf build
