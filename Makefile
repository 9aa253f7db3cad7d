# wirelap: make, make demo, make test; `make help` names the rest.

VERSION  := 0.1.0
CXX      ?= g++
CXXFLAGS ?= -O2
EXTRA    ?=
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=

STRICT   := -std=c++20 -Wall -Wextra -Wconversion -Wshadow -Isrc -DWIRELAP_VERSION='"$(VERSION)"' \
            -D_FILE_OFFSET_BITS=64 $(EXTRA)
# Nothing below main.cc throws; the tests' framework does.
PRODUCT  := $(STRICT) -fno-exceptions
# The tests themselves are long and run once: to make them quick would take most of the time.
TESTING  := $(STRICT) -Itests
PLAIN    := -O0 -fno-lto
SANITIZE := -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# As fast as it gets with all checks: of what runs the edges alone are counted, without what was compared.
FUZZING  := -O2 -gline-tables-only -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# g++ joins what is stored side by side in vectors, for more than it costs to store it piece by piece.
RELEASE  := -DNDEBUG $(if $(findstring clang,$(CXX)),,-flto=auto -fno-tree-slp-vectorize)
# What runs once a run, or for few packets, is made small instead.
COLD     := src/main.cc src/base/error.cc $(addprefix src/capture/,container.cc decompress.cc) src/wire/decode_error.cc \
            $(addprefix src/output/,classic.cc progress.cc summary.cc table.cc)

# What is fuzzed; tests replay it without libFuzzer.
FUZZED   := $(filter-out %/fuzzer.cc %/seeds.cc,$(wildcard tests/fuzz/*.cc))
LIBRARY  := $(filter-out src/main.cc src/static.cc,$(wildcard src/*.cc src/*/*.cc src/*/*/*.cc))
TESTS    := $(wildcard tests/*.cc) $(FUZZED)

.PHONY: all demo test lint static install architectures kernels reproducible lab lab-score golden captures captures-tshark
.PHONY: clean help
.PHONY: bench bench-peers bench-real bench-scale bench-accept bench-guard bench-allocations
.PHONY: floods floods-test long
.PHONY: fuzz fuzz-corpus overreads survive
all: $(BUILD)/wirelap

help:
	@sed -n 's/^#: //p' Makefile

#: make                        the program, build/wirelap
#: make demo                   builds it and shows a real S3 session
#: make test                   all tests, under sanitizers and as released
#: make static                 build/static/wirelap, which needs no other file
#: make install PREFIX=        installs the program and the library
#: make architectures          the same program on other machines, under qemu
#: make kernels KERNELS=        the sandbox under these kernels (Debian packages), in an emulator
#: make reproducible           builds the static program once more elsewhere: the same bytes
#: make lab                    captures fixtures and scenarios anew (root, nginx, node, tcpdump)
#: make lab-score              holds the causes against the lab's truth, from fixtures/causes
#: make golden                 rewrites the expected outputs in fixtures/golden
#: make fuzz SECONDS= TARGETS=  fuzzes each target for so long (clang), JOBS at a time; CAPTURES=DIR: more seeds
#: make fuzz-corpus             keeps the best of what fuzzing found in fixtures/corpus
#: make overreads              cuts and snaps every fixture everywhere: half an hour
#: make survive CAPTURES=DIR   runs over all captures with the sanitizers
#: make captures CAPTURES=DIR  compares with tshark's and capinfos' counts and Zeek's logs
#: make captures-tshark CAPTURES=DIR  asks tshark itself, by wirelap's definitions
#: make bench BENCH_SIZE= BASE= speed beside bare walks, libpcap and the program BASE
#: make bench-real CAPTURES=DIR other people's captures beside libpcap
#: make bench-peers            the same beside tcptrace, tshark, httpry, zeek, tcpflow
#: make bench-scale            cost by size, flows and loss: a table and a plot
#: make floods                 traffic made to take all memory, at full size
#: make long                   fifty million packets through one pipe, and one response of 9.5 GB
#: make bench-accept           holds today's instruction counts
#: make clean                  removes build/

# A flavour is a folder of its own: $(BUILD)/FLAVOUR/, with its own flags.
#   $(call flavour,NAME,COMPILE FLAGS,LINK FLAGS,WHAT TESTS ARE LINKED WITH)
define flavour
$(BUILD)/$(1)/%.o: %.cc Makefile
	@mkdir -p $$(@D)
	@echo compile $$@
	@$$(CXX) $$(if $$(filter tests/%,$$<),$$(TESTING),$$(PRODUCT)) $(2) $$(if $$(filter %_test.cc,$$<),$$(PLAIN)) -MMD -MP -c -o $$@ $$<

$(BUILD)/$(1)/wirelap: $(patsubst %.cc,$(BUILD)/$(1)/%.o,$(LIBRARY) src/main.cc)
	@echo link $$@
	@$$(CXX) $(2) -o $$@ $$^ $(3)

$(BUILD)/$(1)/run-tests: $(patsubst %.cc,$(BUILD)/$(1)/%.o,$(TESTS)) $(4)
	@echo link $$@
	@$$(CXX) $(2) -o $$@ $$^ $(3)

$(BUILD)/$(1)/make-seeds: $(patsubst %.cc,$(BUILD)/$(1)/%.o,$(LIBRARY) $(FUZZED) tests/fuzz/seeds.cc)
	@echo link $$@
	@$$(CXX) $(2) -o $$@ $$^ $(3)

$(BUILD)/$(1)/count-packets: $(patsubst %.cc,$(BUILD)/$(1)/%.o,$(LIBRARY) tests/oracle/count_packets.cc)
	@echo link $$@
	@$$(CXX) $(2) -o $$@ $$^ $(3)

-include $(patsubst %.cc,$(BUILD)/$(1)/%.d,$(LIBRARY) $(TESTS) tests/oracle/count_packets.cc tests/fuzz/seeds.cc tests/fuzz/fuzzer.cc src/main.cc)
endef
$(eval $(call flavour,release,$$(CXXFLAGS) $(RELEASE) $$(if $$(filter $(COLD),$$<),-Os),$$(LDFLAGS),$(BUILD)/libwirelap.a))
$(eval $(call flavour,sanitized,$(SANITIZE),,$(patsubst %.cc,$(BUILD)/sanitized/%.o,$(LIBRARY))))
$(eval $(call flavour,fuzz,$(FUZZING) $$(COVERED),,))

$(BUILD)/wirelap: $(BUILD)/release/wirelap
	cp $< $@

demo: $(BUILD)/wirelap
	$(BUILD)/wirelap --format table fixtures/s3-session.pcap

# A suite runs its own flavour of the program: WIRELAP tells which.
test: export WIRELAP_SHIM_LIBRARY := $(BUILD)/shim.so
test: $(BUILD)/sanitized/run-tests $(BUILD)/sanitized/wirelap $(BUILD)/release/run-tests $(BUILD)/wirelap lint \
  bench-allocations bench-guard floods-test static $(BUILD)/libwirelap.a $(BUILD)/shim.so
	WIRELAP=$(BUILD)/sanitized/wirelap $(BUILD)/sanitized/run-tests
	WIRELAP=$(BUILD)/wirelap $(BUILD)/release/run-tests
	tests/commands.sh $(BUILD)/wirelap
	tests/library.sh $(BUILD)
	tests/oracle/check_classic.sh

# Makes system calls go wrong, for tests.
$(BUILD)/shim.so: tests/support/shim.cc Makefile
	@mkdir -p $(@D)
	@$(CXX) $(STRICT) -shared -fPIC -o $@ $< -ldl

lint:
	tests/lint.sh

# What is measured is built as the program is released.
BENCH := $(BUILD)/bench
-include $(patsubst %.cc,$(BUILD)/release/%.d,$(wildcard bench/*.cc))
.SECONDARY: $(patsubst %.cc,$(BUILD)/release/%.o,$(wildcard bench/*.cc))

$(BENCH)/stages $(BENCH)/allocations: $(patsubst %.cc,$(BUILD)/release/%.o,$(LIBRARY))
$(BENCH)/libpcap: LINK := -lpcap
$(BENCH)/%: $(BUILD)/release/bench/%.o
	@mkdir -p $(@D)
	@echo link $@
	@$(CXX) $(CXXFLAGS) $(RELEASE) -o $@ $^ $(LDFLAGS) $(LINK)

bench-guard: $(BENCH)/generate $(BENCH)/stages
	@bench/guard.sh $(BENCH) "$$($(CXX) --version | head -n 1), $(CXXFLAGS)"

bench-accept: $(BENCH)/generate $(BENCH)/stages
	@bench/guard.sh $(BENCH) "$$($(CXX) --version | head -n 1), $(CXXFLAGS)" accept

bench-allocations: $(BENCH)/generate $(BENCH)/allocations
	@bench/allocations.sh $(BENCH)

floods: $(BENCH)/flood $(BUILD)/wirelap
	@python3 bench/floods.py $(BUILD) $(BENCH_ARGS)

floods-test: $(BENCH)/flood $(BUILD)/wirelap
	@command -v python3 > /dev/null && command -v valgrind > /dev/null || \
	  { echo "floods: skipped, python3 or valgrind is not installed"; exit 0; } && python3 bench/floods.py $(BUILD) --test

long: $(BENCH)/generate $(BUILD)/wirelap
	python3 bench/long.py $(BUILD) $(BENCH_ARGS)

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

# Needs clang and its libFuzzer (Debian: clang, libclang-rt-14-dev).
CAPTURES ?= ../shared/captures
FUZZER   := $(BUILD)/fuzz/fuzzer
CORPUS   := $(BUILD)/corpus
SECONDS  ?= 20
JOBS     ?= 2
TARGETS  ?= $(shell grep -o '{"[a-z0-9]*", run_' tests/fuzz/target.h | cut -d '"' -f 2)
CLANG    ?= clang++
$(BUILD)/fuzz/%: override CXX := $(CLANG)
# What only makes inputs and checks records is not what is to be covered.
UNCOVERED := mutate records script seeds fuzzer target
$(BUILD)/fuzz/%.o: COVERED := -fsanitize-coverage=inline-8bit-counters,pc-table
$(patsubst %,$(BUILD)/fuzz/tests/fuzz/%.o,$(UNCOVERED)): override COVERED :=
$(FUZZER): $(patsubst %.cc,$(BUILD)/fuzz/%.o,$(LIBRARY) $(FUZZED) tests/fuzz/fuzzer.cc)
	@echo link $@
	@$(CXX) $(FUZZING) -fsanitize=fuzzer -o $@ $^

fuzz: $(FUZZER) $(BUILD)/fuzz/make-seeds
	tests/fuzz/run.sh $(FUZZER) $(CORPUS) $(SECONDS) $(JOBS) "$(CAPTURES)" $(TARGETS)

fuzz-corpus: $(FUZZER)
	tests/fuzz/keep.sh $(FUZZER) $(CORPUS) $(TARGETS)

overreads: $(BUILD)/sanitized/run-tests
	WIRELAP_OVERREADS=1 $(BUILD)/sanitized/run-tests -sf="*overread_test.cc"

survive: $(BUILD)/sanitized/wirelap
	tests/survive.sh $< $(CAPTURES)

static: $(BUILD)/static/wirelap
	tests/static.sh $<

# The same objects, linked small.
$(BUILD)/static/wirelap: $(patsubst %.cc,$(BUILD)/release/%.o,$(LIBRARY) src/main.cc src/static.cc)
	@mkdir -p $(@D)
	@echo link $@
	@$(CXX) $(CXXFLAGS) $(RELEASE) -fno-exceptions -fno-asynchronous-unwind-tables -static -s -o $@ $^ $(LDFLAGS) \
	  -Wl,-T,src/static.ld,--gc-sections,-z,noseparate-code,--build-id=none

# One object of the whole library, so that any linker takes it. (In several parts g++ 12 dies of it.)
WHOLE := $(if $(findstring clang,$(CXX)),,-flto-partition=one -flinker-output=nolto-rel)
$(BUILD)/libwirelap.a: $(patsubst %.cc,$(BUILD)/release/%.o,$(LIBRARY))
	@echo archive $@
	@$(CXX) $(CXXFLAGS) $(RELEASE) -fno-exceptions -r $(WHOLE) -o $(BUILD)/libwirelap.o $^
	@rm -f $@ && $(AR) rcsD $@ $(BUILD)/libwirelap.o

install: $(BUILD)/wirelap $(BUILD)/libwirelap.a
	install -D -m 755 $(BUILD)/wirelap $(DESTDIR)$(PREFIX)/bin/wirelap
	install -D -m 644 $(BUILD)/libwirelap.a $(DESTDIR)$(PREFIX)/lib/libwirelap.a
	install -D -m 644 src/wirelap.h $(DESTDIR)$(PREFIX)/include/wirelap.h
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' src/wirelap.pc.in > $(BUILD)/wirelap.pc
	install -D -m 644 $(BUILD)/wirelap.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/wirelap.pc

lab:
	python3 fixtures/lab/make.py
	python3 fixtures/lab/scenarios.py
	python3 fixtures/lab/dress.py

lab-score: $(BUILD)/wirelap
	python3 tests/oracle/lab_score.py $(BUILD)/wirelap --brief

golden: $(BUILD)/wirelap
	tests/golden.sh $(BUILD)/wirelap

captures: $(BUILD)/wirelap $(BUILD)/release/count-packets
	python3 tests/oracle/packets.py $(BUILD)/release/count-packets $(CAPTURES) --known tests/oracle/known_packets.tsv
	python3 tests/oracle/captures.py $(BUILD)/wirelap $(CAPTURES) --known tests/oracle/known.tsv

captures-tshark: $(BUILD)/wirelap
	python3 tests/oracle/tshark.py $(BUILD)/wirelap $(CAPTURES) --known tests/oracle/known_tshark.tsv --cache $(BUILD)/tshark

architectures: $(BUILD)/wirelap
	+tests/architectures.sh $(BUILD)
KERNELS  ?=
kernels: $(BUILD)/wirelap $(BUILD)/release/run-tests static
	tests/kernels.sh $(BUILD) $(KERNELS)

reproducible: $(BUILD)/static/wirelap
	tests/reproducible.sh $<

clean:
	rm -rf $(BUILD)
