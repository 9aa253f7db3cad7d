# wirelap: make, make demo, make test; `make help` names the rest.

VERSION  := 0.1.0
CXX      ?= g++
CXXFLAGS ?= -O2
EXTRA    ?=
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=

STRICT   := -std=c++20 -Wall -Wextra -Wconversion -Wshadow -Isrc -DWIRELAP_VERSION='"$(VERSION)"' $(EXTRA)
# Nothing below main.cc throws; the tests' framework does.
PRODUCT  := $(STRICT) -fno-exceptions
SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# As fast as it gets with all checks: of what runs the edges alone are counted, without what was compared.
FUZZING  := -O2 -gline-tables-only -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
RELEASE  := -DNDEBUG $(if $(findstring clang,$(CXX)),,-flto=auto)

# What is fuzzed; tests replay it without libFuzzer.
FUZZED   := $(filter-out %/fuzzer.cc %/seeds.cc,$(wildcard tests/fuzz/*.cc))
LIBRARY  := $(filter-out src/main.cc,$(wildcard src/*.cc src/*/*.cc))
TESTS    := $(wildcard tests/*.cc) $(FUZZED)

.PHONY: all demo test lint static install lab lab-score golden captures clean help
.PHONY: bench bench-peers bench-scale bench-accept bench-guard bench-allocations
.PHONY: fuzz fuzz-corpus overreads survive
all: $(BUILD)/wirelap

help:
	@sed -n 's/^#: //p' Makefile

#: make                        the program, build/wirelap
#: make demo                   builds it and shows a real S3 session
#: make test                   all tests, under sanitizers and as released
#: make static                 build/static/wirelap, without shared libraries
#: make install PREFIX=        installs the program
#: make lab                    captures fixtures and scenarios anew (root, nginx, node, tcpdump)
#: make lab-score              holds the causes against the lab's truth, from fixtures/causes
#: make golden                 rewrites the expected outputs in fixtures/golden
#: make fuzz SECONDS= TARGETS=  fuzzes each target for so long (clang), JOBS at a time; CAPTURES=DIR: more seeds
#: make fuzz-corpus             keeps the best of what fuzzing found in fixtures/corpus
#: make overreads              cuts and snaps every fixture everywhere: half an hour
#: make survive CAPTURES=DIR   runs over all captures with the sanitizers
#: make captures CAPTURES=DIR  compares with tshark's and capinfos' counts and Zeek's logs
#: make bench BENCH_SIZE= BASE= speed beside bare walks, libpcap and the program BASE
#: make bench-peers            the same beside tcptrace, tshark, httpry, zeek, tcpflow
#: make bench-scale            cost by size, flows and loss: a table and a plot
#: make bench-accept           holds today's instruction counts
#: make clean                  removes build/

# A flavour is a folder of its own: $(BUILD)/FLAVOUR/, with its own flags.
#   $(call flavour,NAME,COMPILE FLAGS,LINK FLAGS)
define flavour
$(BUILD)/$(1)/%.o: %.cc Makefile
	@mkdir -p $$(@D)
	@echo compile $$@
	@$$(CXX) $$(if $$(filter tests/%,$$<),$$(STRICT) -Itests,$$(PRODUCT)) $(2) -MMD -MP -c -o $$@ $$<

$(BUILD)/$(1)/wirelap: $(patsubst %.cc,$(BUILD)/$(1)/%.o,$(LIBRARY) src/main.cc)
	@echo link $$@
	@$$(CXX) $(2) -o $$@ $$^ $(3)

$(BUILD)/$(1)/run-tests: $(patsubst %.cc,$(BUILD)/$(1)/%.o,$(LIBRARY) $(TESTS))
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
$(eval $(call flavour,release,$$(CXXFLAGS) $(RELEASE),$$(LDFLAGS)))
$(eval $(call flavour,sanitized,$(SANITIZE),))
$(eval $(call flavour,fuzz,$(FUZZING) $$(COVERED),))
$(eval $(call flavour,static,$$(CXXFLAGS) $(RELEASE),-static -s))

$(BUILD)/wirelap: $(BUILD)/release/wirelap
	cp $< $@

demo: $(BUILD)/wirelap
	$(BUILD)/wirelap --format table fixtures/s3-session.pcap

# A suite runs its own flavour of the program: WIRELAP tells which.
test: $(BUILD)/sanitized/run-tests $(BUILD)/sanitized/wirelap $(BUILD)/release/run-tests $(BUILD)/wirelap lint \
  bench-allocations bench-guard
	WIRELAP=$(BUILD)/sanitized/wirelap $(BUILD)/sanitized/run-tests
	WIRELAP=$(BUILD)/wirelap $(BUILD)/release/run-tests
	tests/commands.sh $(BUILD)/wirelap
	tests/oracle/check_classic.sh

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

BENCH_TOOLS := $(BENCH)/generate $(BENCH)/measure $(BENCH)/walk \
  $(if $(wildcard /usr/include/pcap/pcap.h),$(BENCH)/libpcap) $(BUILD)/wirelap
bench: $(BENCH_TOOLS)
	python3 bench/run.py $(BUILD) $(if $(BENCH_SIZE),--size $(BENCH_SIZE)) $(if $(BASE),--base $(BASE)) $(BENCH_ARGS)
bench-peers: $(BENCH_TOOLS)
	python3 bench/peers.py $(BUILD) $(BENCH_ARGS)
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
# What only makes inputs and checks rows is not what is to be covered.
UNCOVERED := mutate rows script seeds fuzzer target
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

install: $(BUILD)/wirelap
	install -D -m 755 $(BUILD)/wirelap $(DESTDIR)$(PREFIX)/bin/wirelap

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

clean:
	rm -rf $(BUILD)
