# SPDX-License-Identifier: BSD-3-Clause
# The words people type. Everything real is in meson.build and scripts/.
#
#	make		set up what is missing, then build into build/
#	make demo	build, then two controllers and real initiators, narrated
#	make check	every test, twice: as shipped, and under ASan and UBSan
#	make help	the rest

MESON = /usr/bin/meson
NINJA = /usr/bin/ninja
PYTHON = /usr/bin/python3
BUILD = build
# Extra arguments for `meson setup`, e.g. MESONFLAGS=-Dbuildtype=release
MESONFLAGS =
# For `make sim`: SEED=n replays one schedule, SEEDS=n runs so many fresh ones. For `make fuzz`: SECONDS_EACH=n per decoder.
SEED =
SEEDS =
ARGS =
SECONDS_EACH = 60
# For `make failover` and `make soak`: so many events; faults of every kind for so long.
CYCLES = 200
MINUTES = 60

export PYTHONDONTWRITEBYTECODE = 1

.DEFAULT_GOAL := all
.PHONY: all help bootstrap demo check conformance soak soak-caw bench bench-quick fuzz fuzz-coverage failover sim lint format install uninstall asan tsan clean

all: bootstrap
	@scripts/build $(BUILD) $(MESONFLAGS)

help:
	@sed -n '2,8s/^# \{0,1\}//p' Makefile
	@printf '\t%s\n' \
	  'make conformance	iscsi-test-cu against two controllers, all of it (make check: most of it)' \
	  'make bench	benchmarks against tgt and the floors of this machine, ten minutes' \
	  'make bench-quick	the same in a minute, with more noise' \
	  'make fuzz	libFuzzer on every decoder, SECONDS_EACH=60 seconds each' \
	  'make sim	the simulator; SEED=n replays one schedule, SEEDS=n runs n fresh ones' \
	  'make fuzz-coverage	what the corpora reach of the decoders' \
	  'make failover	a host with two paths through CYCLES=200 events, nothing lost' \
	  'make soak	the long forms of the system tests, an hour or more; soak-caw: one of them' \
	  'make lint	format, layer rule, licence lines' \
	  'make format	let clang-format rewrite the sources' \
	  'make asan	the tests under ASan and UBSan only' \
	  'make tsan	the tests under TSan' \
	  'make install	to PREFIX=/usr/local, DESTDIR honoured' \
	  'make clean	remove every build directory'

bootstrap:
	@scripts/bootstrap

demo: all
	@scripts/demo --build $(BUILD)

check: bootstrap
	@scripts/check

conformance: bootstrap
	@scripts/check conformance

soak: all
	@HF_MINUTES=$(MINUTES) HF_CYCLES=$(CYCLES) scripts/soak $(BUILD)

# Counters raised millions of times through both controllers, none lost.
soak-caw: all
	@scripts/soak $(BUILD) caw

asan: bootstrap
	@scripts/check asan

tsan: bootstrap
	@scripts/check tsan

lint: bootstrap
	@$(PYTHON) scripts/lint

format: bootstrap
	@$(PYTHON) scripts/lint --fix

bench: bootstrap
	@scripts/build build-release -Dbuildtype=release $(MESONFLAGS)
	@$(PYTHON) bench/run

bench-quick: bootstrap
	@scripts/build build-release -Dbuildtype=release $(MESONFLAGS)
	@$(PYTHON) bench/run --quick

sim: bootstrap
	@scripts/build $(BUILD) $(MESONFLAGS)
	@SEEDS='$(SEEDS)' ARGS='$(ARGS)' scripts/sim $(BUILD) $(SEED)

fuzz: bootstrap
	@CC=clang scripts/build build-fuzz -Dfuzz=true -Db_sanitize=address,undefined
	@scripts/fuzz build-fuzz $(SECONDS_EACH)

fuzz-coverage: bootstrap
	@scripts/fuzz-coverage

failover: all
	@HF_CYCLES=$(CYCLES) $(PYTHON) test/system/failover_test.py $(CURDIR)/$(BUILD)

PREFIX = /usr/local
install: bootstrap
	@scripts/build build-install -Dbuildtype=release --prefix=$(PREFIX) $(MESONFLAGS)
	@$(MESON) install -C build-install --no-rebuild $(if $(DESTDIR),--destdir $(DESTDIR))

clean:
	@rm -rf build build-*
