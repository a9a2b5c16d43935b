# The front door of galley. `make help` lists what there is; CMakeLists.txt and cmake/ do the building.
# Only `run`, `test`, `check`, `deb`, `asan`, `tsan`, `fuzz`, `bench` and `bench-pool` install packages, and only those that are missing.
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := all
.SUFFIXES:

PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 20
ARGS ?= examples/site
ONLY ?=
IO ?=
WAY ?=
BENCH_ARGS ?=
CMAKE_FLAGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= lib
export DESTDIR

# $(call build,PRESET,TARGET...): configure once, then build.
define build
@test -f build/$(1)/build.ninja || cmake --preset $(1) $(CMAKE_FLAGS) >build/$(1).log 2>&1 || { cat build/$(1).log; exit 1; }
@cmake --build build/$(1) -j $(JOBS) --target $(2)
endef

.PHONY: all run install uninstall deb setup test check format asan tsan fuzz bench bench-pool docs reference abi-baseline clean help

## all      build the release program (build/galley) and examples (build/examples/NAME); installs nothing
all: build/.folder
	@tools/setup --check build
	$(call build,release,product)
	@for name in galley galley.1 examples; do if [ -e build/release/$$name ]; then ln -sfn release/$$name build/$$name; fi; done

## run      install what is missing, build, serve examples/site; ARGS="--list /srv" for other options and folders
run: build/.folder
	@tools/setup build
	@$(MAKE) all
	build/galley $(ARGS)

## install  the program, the libraries and what goes with them into DESTDIR/PREFIX (/usr/local); LIBDIR=lib
install: all
	@cmake -DCMAKE_INSTALL_LIBDIR=$(LIBDIR) build/release >build/release.log
	@cmake --install build/release --prefix $(abspath $(PREFIX)) >build/install.log || { cat build/install.log; exit 1; }
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" -eq 0 ]; then ldconfig; fi
	@echo "installed into $(DESTDIR)$(abspath $(PREFIX)); what: build/release/install_manifest.txt"

## uninstall   take away again what this version's install puts there
uninstall: all
	@cmake -DCMAKE_INSTALL_LIBDIR=$(LIBDIR) build/release >build/release.log
	@tools/uninstall build/release $(abspath $(PREFIX))

## deb      Debian packages in build/deb (needs debhelper); they are built from the files git knows
deb: build/.folder
	@tools/setup build deb
	@tools/make_deb build/deb

## setup    install the packages for everything in this list
setup:
	tools/setup build test check deb fuzz browser

## test     install what is missing, then every test; ONLY=conn: whose name matches; IO=uring: whole servers over io_uring;
##          WAY=http, tls, h2: whole servers over that alone
test: build/.folder
	@tools/setup build test
	$(call build,dev,all)
	@$(PYTHON) tools/run_tests build/dev $(if $(ONLY),--only '$(ONLY)') $(if $(IO),--io $(IO)) $(if $(WAY),--way $(WAY))

## check    layers, sizes, banned calls, comments, format, headers, static analysis, symbols, reference, ABI, instructions
check: build/.folder
	@tools/setup build check
	$(call build,dev,product)
	$(call build,release,bench_micro)
	@$(PYTHON) tools/check_all

## format   let clang-format rewrite every C file
format:
	@tools/setup check
	find src include tests examples bench -name '*.[ch]' -print0 | xargs -0 $$(command -v clang-format-14 || echo clang-format) -i

## asan     every test under AddressSanitizer and UndefinedBehaviorSanitizer; ONLY, IO and WAY as with test
asan: build/.folder
	@tools/setup build test
	$(call build,asan,all)
	@$(PYTHON) tools/run_tests build/asan --slow 3 $(if $(ONLY),--only '$(ONLY)') $(if $(IO),--io $(IO)) $(if $(WAY),--way $(WAY))

## tsan     every test under ThreadSanitizer; ONLY, IO and WAY as with test
tsan: build/.folder
	@tools/setup build test
	$(call build,tsan,all)
	@$(PYTHON) tools/run_tests build/tsan --no-aslr --slow 5 $(if $(ONLY),--only '$(ONLY)') $(if $(IO),--io $(IO)) $(if $(WAY),--way $(WAY))

## fuzz     every fuzz target over its corpus, then FUZZ_SECONDS (20) of new inputs each; FUZZ_SEED: the same ones again
fuzz: build/.folder
	@tools/setup build fuzz
	$(call build,fuzz,fuzz_targets)
	@$(PYTHON) tools/run_fuzz build/fuzz --seconds $(FUZZ_SECONDS) $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))

## bench    galley beside nginx, h2o, lighttpd, Caddy and bare floors, under 15 minutes; BENCH_ARGS=--quick for a look
bench: build/.folder
	@tools/setup build bench
	@test ! -f build/release/build.ninja || cmake build/release >build/release.log # sees what was just installed
	$(call build,release,bench_load)
	@$(PYTHON) bench/load/run --build build/release $(BENCH_ARGS)

## bench-pool  galley's thread pool beside those of Debian, under 15 minutes; BENCH_ARGS=--quick for a look
bench-pool: build/.folder
	@tools/setup build bench
	@test ! -f build/release/build.ninja || cmake build/release >build/release.log # sees what was just installed
	$(call build,release,bench_pool)
	@$(PYTHON) bench/pool/run --build build/release $(BENCH_ARGS)

## docs     rewrite the pages that are made from code and tests: docs/options.md, docs/conformance.md
docs: build/.folder
	@tools/setup build check
	$(call build,dev,product)
	build/dev/galley --help=markdown >docs/options.md
	$(PYTHON) tools/make_conformance

## reference   the library's reference from the headers: build/reference/html, build/reference/man3
reference: build/.folder
	@$(PYTHON) tools/make_reference

## abi-baseline   what make check compares the libraries' ABI with from now on: the headers as they are
abi-baseline:
	@tools/setup check
	@$(PYTHON) tools/check_abi --update

## clean    remove build/
clean:
	rm -rf build

## help     this list
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

build/.folder:
	@mkdir -p build
	@touch $@
