# Build, test and measure wirelap. `make help` lists the targets.

VERSION  := 0.1.0
CXX      ?= g++
CXXFLAGS ?= -O2
EXTRA    ?=
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=

# All processors are used unless the command line has -j.
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc 2> /dev/null || echo 1)
endif

STRICT   := -std=c++20 -Wall -Wextra -Wconversion -Wshadow -Isrc -DWIRELAP_VERSION='"$(VERSION)"' \
            -D_FILE_OFFSET_BITS=64 $(EXTRA)
# src/ throws no exceptions; doctest does.
PRODUCT  := $(STRICT) -fno-exceptions
# Tests are large and run once: optimization would take longer than it saves.
TESTING  := $(STRICT) -Itests
PLAIN    := -O0 -fno-lto
SANITIZE := -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# These checks take a third of the time to compile the tests. In src/ they stay; in tests, AddressSanitizer detects
# most of what they would.
FEWER    := -fno-sanitize=null,alignment,object-size,vptr,pointer-overflow,nonnull-attribute
# Coverage counters are on edges only; tracing comparisons as well would halve the speed.
FUZZING  := -O2 -gline-tables-only -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# SLP vectorization makes the program slower: g++ gathers neighbouring fields into vectors at a higher cost than it saves.
RELEASE  := -DNDEBUG $(if $(findstring clang,$(CXX)),,-flto=auto -fno-tree-slp-vectorize)
# These run once or for few packets, and are compiled for size.
COLD     := src/main.cc src/options.cc src/base/error.cc $(addprefix src/capture/,container.cc decompress.cc) src/wire/decode_error.cc \
            $(addprefix src/output/,classic.cc columns.cc progress.cc summary.cc table.cc)

# The fuzz targets; fuzz_test.cc replays inputs with them, without libFuzzer.
FUZZED   := $(filter-out %/fuzzer.cc %/seeds.cc,$(wildcard tests/fuzz/*.cc))
LIBRARY  := $(filter-out src/main.cc src/static.cc,$(wildcard src/*.cc src/*/*.cc src/*/*/*.cc))
TESTS    := $(wildcard tests/*_test.cc) $(FUZZED)

.PHONY: all demo help clean lint check check-release check-asan test
all: $(BUILD)/wirelap

help:
	@sed -n 's/^#: \?//p' Makefile

#: Build
#:   make                           build/wirelap
#:   make demo                      build it and show an S3 session
#:   make static                    build/static/wirelap, a single file without libraries
#:   make install PREFIX= DESTDIR=  install the program, the library, man pages and completions
#:   make clean                     remove build/
#:
#: Test
#:   make check                     the tests of a change: release build, without the slow ones; lint
#:   make test                      everything that CI tests of the program
#:   make check-asan                the tests under AddressSanitizer and UndefinedBehaviorSanitizer
#:   make check-floods              memory and instructions stay bounded when traffic exhausts memory
#:   make check-truncation          every fixture cut at every byte and every snap length (30 minutes)
#:   make check-corpus CAPTURES=    the sanitized program reads every capture of a folder
#:   make compare BASE= CAPTURES=   compare all outputs with those of the program BASE
#:   make check-captures CAPTURES=  compare with counts of tshark and capinfos and with logs of Zeek
#:   make check-tshark CAPTURES=    compare each exchange with what tshark shows
#:   make check-causes              compare the causes with what the lab's server, client and link logged
#:   make check-architectures       compare all outputs on i686, s390x and aarch64 (qemu)
#:   make check-kernels KERNELS=    test the sandbox under other kernels (Debian packages; qemu)
#:   make check-reproducible        build the static program in another folder and compare the bytes
#:   make soak                      50 million packets through one pipe, and a response of 9.5 GB
#:   make fuzz SECONDS= TARGETS=    fuzz each target (clang); JOBS= at a time, CAPTURES= for more seeds
#:
#: Measure
#:   make bench BENCH_SIZE= BASE=   speed beside bare loops, libpcap and the program BASE
#:   make bench-peers               speed beside tcptrace, tshark, httpry, Zeek and tcpflow
#:   make bench-real CAPTURES=      speed with captures of others beside libpcap
#:   make bench-scale               cost by size, connections and loss: a table and a plot
#:   make bench-floods              traffic that exhausts memory: peaks, costs and evictions
#:   make bench-guard               compare instruction counts with the stored ones (valgrind)
#:   make bench-allocations         packets in order allocate no memory
#:
#: Update stored results
#:   make golden-update             rewrite fixtures/golden from this program
#:   make bench-update              store the current instruction counts
#:   make doc-update                rewrite the columns in the man page from this program
#:   make fuzz-corpus               keep the best inputs that fuzzing found in fixtures/corpus
#:   make lab                       capture the fixtures again (root, nginx, node, tcpdump)

# The standard library is precompiled for each flavour, for src/ and for tests/ (with doctest): reading it takes half of
# the time to compile src/ as released. Every file includes what it uses; the build with clang, which has no precompiled
# headers here, detects what is missing.
STANDARD := algorithm array bit charconv cstdint cstring filesystem fstream functional iterator limits map memory \
            memory_resource optional random span string string_view thread type_traits utility variant vector
PRECOMPILED  := $(if $(findstring clang,$(CXX)),,yes)
PRECOMPILING := -Winvalid-pch -fpch-preprocess

$(BUILD)/src.h: Makefile
	@mkdir -p $(@D)
	@printf '#include <%s>\n' $(filter-out filesystem fstream map random thread,$(STANDARD)) > $@

$(BUILD)/tests.h: Makefile
	@mkdir -p $(@D)
	@printf '#include <%s>\n' doctest/doctest.h $(STANDARD) > $@

# Each flavour is a folder, $(BUILD)/FLAVOUR/, with its own compiler flags.
#   $(call flavour,NAME,FLAGS OF src/,FLAGS OF tests/,yes IF HEADERS ARE PRECOMPILED)
define flavour
$(BUILD)/$(1)/%.o: %.cc Makefile
	@mkdir -p $$(@D)
	@echo compile $$@
	@$$(CXX) $$(PRODUCT) $(2) -MMD -MP -c -o $$@ $$<

$(BUILD)/$(1)/src/%.o: src/%.cc Makefile $(if $(4),$(BUILD)/$(1)/src.h.gch)
	@mkdir -p $$(@D)
	@echo compile $$@
	@$$(CXX) $$(PRODUCT) $(2) $(if $(4),$$(if $$(filter $(COLD),$$<),,-include $(BUILD)/$(1)/src.h $(PRECOMPILING))) -MMD -MP -c -o $$@ $$<

$(BUILD)/$(1)/tests/%.o: tests/%.cc Makefile $(if $(4),$(BUILD)/$(1)/tests.h.gch)
	@mkdir -p $$(@D)
	@echo compile $$@
	@$$(CXX) $$(TESTING) $(3) $(if $(4),$$(if $$(filter %/count_packets.cc,$$<),,-include $(BUILD)/$(1)/tests.h $(PRECOMPILING))) -MMD -MP -c -o $$@ $$<

$(BUILD)/$(1)/src.h.gch: $(BUILD)/src.h
	@mkdir -p $$(@D)
	@echo compile $$@
	@$$(CXX) $$(PRODUCT) $(2) -x c++-header -o $$@ $$<

$(BUILD)/$(1)/tests.h.gch: $(BUILD)/tests.h
	@mkdir -p $$(@D)
	@echo compile $$@
	@$$(CXX) $$(TESTING) $(3) -x c++-header -o $$@ $$<

$(BUILD)/$(1)/wirelap: $(patsubst %.cc,$(BUILD)/$(1)/%.o,$(LIBRARY) src/main.cc)
	@echo link $$@
	@$$(CXX) $(2) -o $$@ $$^ $$(LDFLAGS)

-include $(patsubst %.cc,$(BUILD)/$(1)/%.d,$(LIBRARY) $(TESTS) src/main.cc $(wildcard bench/*.cc tests/fuzz/*.cc tests/oracle/*.cc))
endef
SANITIZED := $(SANITIZE) -O1
$(eval $(call flavour,release,$$(CXXFLAGS) $(RELEASE) $$(if $$(filter $(COLD),$$<),-Os),$$(CXXFLAGS) -DNDEBUG $(PLAIN),$(PRECOMPILED)))
$(eval $(call flavour,sanitized,$(SANITIZED),$(SANITIZE) $(FEWER) $(PLAIN),$(PRECOMPILED)))
$(eval $(call flavour,fuzz,$(FUZZING) $$(COVERED),$(FUZZING) $$(COVERED),))

# The library comes first: of an inline function that both contain, the linker keeps the library's copy, not the one
# that tests compiled without optimization and with fewer checks.
$(BUILD)/release/run-tests: $(BUILD)/libwirelap.o
$(BUILD)/sanitized/run-tests: $(patsubst %.cc,$(BUILD)/sanitized/%.o,$(LIBRARY))
$(BUILD)/sanitized/run-tests: LINK := $(SANITIZE)
$(BUILD)/%/run-tests: $(BUILD)/doctest.o
	@echo link $@
	@$(CXX) $(LINK) -o $@ $(filter-out $<,$^) $< $(LDFLAGS)
$(foreach f,release sanitized,$(eval $(BUILD)/$(f)/run-tests: $(patsubst %.cc,$(BUILD)/$(f)/%.o,$(TESTS))))

# doctest itself, for both flavours: with sanitizers it takes five times as long to compile.
$(BUILD)/doctest.o: tests/main.cc Makefile
	@mkdir -p $(@D)
	@echo compile $@
	@$(CXX) $(TESTING) $(PLAIN) -c -o $@ $<

$(BUILD)/wirelap: $(BUILD)/release/wirelap
	cp $< $@

demo: $(BUILD)/wirelap
	$(BUILD)/wirelap --format table fixtures/s3-session.pcap

# The test cases of suite "slow" run in `make test` only, and only as released; those of suite "truncation" are for the
# sanitizers.
check: WITHOUT := slow,truncation
check: check-release lint
	tests/commands.sh $(BUILD)/wirelap
	src/doc/columns.sh $(BUILD)/wirelap check

check-release: $(BUILD)/release/run-tests $(BUILD)/wirelap $(BUILD)/shim.so
	@tests/run.sh $(BUILD) release $(BUILD)/wirelap $(addprefix -tse=,$(WITHOUT))

check-asan: $(BUILD)/sanitized/run-tests $(BUILD)/sanitized/wirelap $(BUILD)/shim.so
	@tests/run.sh $(BUILD) sanitized $(BUILD)/sanitized/wirelap -tse=slow

test: check-release check-asan lint check-static bench-allocations bench-guard check-floods $(BUILD)/libwirelap.a
	tests/commands.sh $(BUILD)/wirelap
	src/doc/columns.sh $(BUILD)/wirelap check
	tests/completions.sh $(BUILD)/wirelap
	tests/install.sh $(BUILD)
	tests/oracle/check_classic.sh
	@cat $(BUILD)/release/tests.log $(BUILD)/sanitized/tests.log | tests/sum.sh

# Makes system calls go wrong, for tests.
$(BUILD)/shim.so: tests/support/shim.cc Makefile
	@mkdir -p $(@D)
	@$(CXX) $(STRICT) -shared -fPIC -o $@ $< -ldl

lint:
	tests/lint.sh

# Benchmarks are compiled as the program is released.
BENCH := $(BUILD)/bench
.PHONY: bench bench-peers bench-real bench-scale bench-floods bench-guard bench-update bench-allocations
.SECONDARY: $(patsubst %.cc,$(BUILD)/release/%.o,$(wildcard bench/*.cc))

$(BENCH)/stages $(BENCH)/allocations: $(patsubst %.cc,$(BUILD)/release/%.o,$(LIBRARY))
$(BENCH)/libpcap: LINK := -lpcap
$(BENCH)/%: $(BUILD)/release/bench/%.o
	@mkdir -p $(@D)
	@echo link $@
	@$(CXX) $(CXXFLAGS) $(RELEASE) -o $@ $^ $(LDFLAGS) $(LINK)

bench-guard: $(BENCH)/generate $(BENCH)/stages
	@bench/guard.sh $(BENCH) "$$($(CXX) --version | head -n 1), $(CXXFLAGS)"

bench-update: $(BENCH)/generate $(BENCH)/stages
	@bench/guard.sh $(BENCH) "$$($(CXX) --version | head -n 1), $(CXXFLAGS)" update

bench-allocations: $(BENCH)/generate $(BENCH)/allocations
	@bench/allocations.sh $(BENCH)

BENCH_TOOLS := $(BENCH)/generate $(BENCH)/measure $(BENCH)/walk \
  $(if $(wildcard /usr/include/pcap/pcap.h),$(BENCH)/libpcap) $(BUILD)/wirelap
bench: $(BENCH_TOOLS)
	python3 bench/run.py $(BUILD) $(if $(BENCH_SIZE),--size $(BENCH_SIZE)) $(if $(BASE),--base $(BASE)) $(BENCH_ARGS)
bench-peers: $(BENCH_TOOLS)
	python3 bench/peers.py $(BUILD) $(BENCH_ARGS)
bench-real: $(BENCH_TOOLS)
	python3 bench/real.py $(BUILD) "$(CAPTURES)" $(BENCH_ARGS)
bench-scale: $(BENCH_TOOLS)
	python3 bench/scale.py $(BUILD) $(BENCH_ARGS)

bench-floods: $(BENCH)/flood $(BUILD)/wirelap
	python3 bench/floods.py $(BUILD) $(BENCH_ARGS)

# Fuzzing needs clang and its libFuzzer (Debian: clang, libclang-rt-14-dev).
.PHONY: fuzz fuzz-corpus
CAPTURES ?= ../shared/captures
FUZZER   := $(BUILD)/fuzz/fuzzer
CORPUS   := $(BUILD)/corpus
SECONDS  ?= 20
JOBS     ?= 2
TARGETS  ?= $(shell grep -o '{"[a-z0-9]*", run_' tests/fuzz/target.h | cut -d '"' -f 2)
CLANG    ?= clang++
$(BUILD)/fuzz/%: override CXX := $(CLANG)
# The mutator and the checks of records get no coverage counters: they are not what is to be covered.
UNCOVERED := mutate records script seeds fuzzer target
$(BUILD)/fuzz/%.o: COVERED := -fsanitize-coverage=inline-8bit-counters,pc-table
$(patsubst %,$(BUILD)/fuzz/tests/fuzz/%.o,$(UNCOVERED)): override COVERED :=
$(FUZZER): $(patsubst %.cc,$(BUILD)/fuzz/%.o,$(LIBRARY) $(FUZZED) tests/fuzz/fuzzer.cc)
	@echo link $@
	@$(CXX) $(FUZZING) -fsanitize=fuzzer -o $@ $^

$(BUILD)/fuzz/make-seeds: $(patsubst %.cc,$(BUILD)/fuzz/%.o,$(LIBRARY) $(FUZZED) tests/fuzz/seeds.cc)
	@echo link $@
	@$(CXX) $(FUZZING) -o $@ $^

fuzz: $(FUZZER) $(BUILD)/fuzz/make-seeds
	tests/fuzz/run.sh $(FUZZER) $(CORPUS) $(SECONDS) $(JOBS) "$(CAPTURES)" $(TARGETS)

fuzz-corpus: $(FUZZER)
	tests/fuzz/keep.sh $(FUZZER) $(CORPUS) $(TARGETS)

# Larger and rarer tests.
.PHONY: check-floods check-static check-truncation check-corpus check-captures check-tshark check-causes
.PHONY: check-architectures check-kernels check-reproducible compare soak
check-floods: $(BENCH)/flood $(BUILD)/wirelap
	@command -v python3 > /dev/null && command -v valgrind > /dev/null || \
	  { echo "floods: skipped, python3 or valgrind is not installed"; exit 0; } && python3 bench/floods.py $(BUILD) --test

check-static: $(BUILD)/static/wirelap
	tests/static.sh $<

check-truncation: $(BUILD)/sanitized/run-tests
	WIRELAP_TRUNCATION=1 $(BUILD)/sanitized/run-tests -ts=truncation

check-corpus: $(BUILD)/sanitized/wirelap
	tests/corpus.sh $< $(CAPTURES)

check-captures: $(BUILD)/wirelap $(BUILD)/count-packets
	python3 tests/oracle/packets.py $(BUILD)/count-packets $(CAPTURES) --known tests/oracle/known_packets.tsv
	python3 tests/oracle/captures.py $(BUILD)/wirelap $(CAPTURES) --known tests/oracle/known.tsv

$(BUILD)/count-packets: $(BUILD)/libwirelap.o $(BUILD)/release/tests/oracle/count_packets.o
	@echo link $@
	@$(CXX) -o $@ $^ $(LDFLAGS)

compare: $(BUILD)/wirelap
	@[ -n "$(BASE)" ] || { echo "make compare: BASE= names no program to compare with" >&2; exit 2; }
	python3 tests/oracle/compare.py $(BUILD)/wirelap "$(BASE)" $(CAPTURES)

check-tshark: $(BUILD)/wirelap
	python3 tests/oracle/tshark.py $(BUILD)/wirelap $(CAPTURES) --known tests/oracle/known_tshark.tsv --cache $(BUILD)/tshark

check-causes: $(BUILD)/wirelap
	python3 tests/oracle/lab_score.py $(BUILD)/wirelap --brief

check-architectures: $(BUILD)/wirelap
	+tests/architectures.sh $(BUILD)

KERNELS ?=
check-kernels: $(BUILD)/wirelap $(BUILD)/release/run-tests $(BUILD)/static/wirelap
	tests/kernels.sh $(BUILD) $(KERNELS)

check-reproducible: $(BUILD)/static/wirelap
	+tests/reproducible.sh $<

soak: $(BENCH)/generate $(BUILD)/wirelap
	python3 bench/soak.py $(BUILD) $(BENCH_ARGS)

# What users install.
.PHONY: static install
static: $(BUILD)/static/wirelap

# The same objects, linked for size.
$(BUILD)/static/wirelap: $(patsubst %.cc,$(BUILD)/release/%.o,$(LIBRARY) src/main.cc src/static.cc)
	@mkdir -p $(@D)
	@echo link $@
	@$(CXX) $(CXXFLAGS) $(RELEASE) -fno-exceptions -fno-asynchronous-unwind-tables -static -s -o $@ $^ $(LDFLAGS) \
	  -Wl,-T,src/static.ld,--gc-sections,-z,noseparate-code,--build-id=none

# One object of the whole library, without LTO's intermediate code, so that any linker can use it. (g++ 12 fails with
# several partitions.)
WHOLE := $(if $(findstring clang,$(CXX)),,-flto-partition=one -flinker-output=nolto-rel)
$(BUILD)/libwirelap.o: $(patsubst %.cc,$(BUILD)/release/%.o,$(LIBRARY))
	@echo link $@
	@$(CXX) $(CXXFLAGS) $(RELEASE) -fno-exceptions -r $(WHOLE) -o $@ $^

$(BUILD)/libwirelap.a: $(BUILD)/libwirelap.o
	@rm -f $@ && $(AR) rcsD $@ $<

install: $(BUILD)/wirelap $(BUILD)/libwirelap.a
	install -D -m 755 $(BUILD)/wirelap $(DESTDIR)$(PREFIX)/bin/wirelap
	install -D -m 644 $(BUILD)/libwirelap.a $(DESTDIR)$(PREFIX)/lib/libwirelap.a
	install -D -m 644 src/wirelap.h $(DESTDIR)$(PREFIX)/include/wirelap.h
	install -D -m 644 src/doc/wirelap.1 $(DESTDIR)$(PREFIX)/share/man/man1/wirelap.1
	install -D -m 644 src/doc/wirelap-records.5 $(DESTDIR)$(PREFIX)/share/man/man5/wirelap-records.5
	install -D -m 644 src/completions/wirelap.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/wirelap
	install -D -m 644 src/completions/_wirelap $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_wirelap
	install -D -m 644 src/completions/wirelap.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/wirelap.fish
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' src/wirelap.pc.in > $(BUILD)/wirelap.pc
	install -D -m 644 $(BUILD)/wirelap.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/wirelap.pc

# Stored results.
.PHONY: doc-update golden-update lab
doc-update: $(BUILD)/wirelap
	src/doc/columns.sh $<

golden-update: $(BUILD)/wirelap
	tests/golden.sh $(BUILD)/wirelap

lab:
	python3 fixtures/lab/make.py
	python3 fixtures/lab/scenarios.py
	python3 fixtures/lab/dress.py

clean:
	rm -rf $(BUILD)
