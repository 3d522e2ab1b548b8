# SPDX-License-Identifier: BSD-2-Clause
# What is run by whom. tests/run.sh takes one word list per test and prints the totals.

NET_TESTS := $(sort $(wildcard tests/net/test_*.sh))
INSTALL_TESTS := $(sort $(wildcard tests/install/test_*.sh))
VERIFIER_TESTS := $(sort $(wildcard tests/verifier/test_*.sh))
each = $(foreach t,$(1),'$(t)')

# Replay $(1)/tests/replay/X over the corpus of X.
replay_of = $(foreach s,$(FUZZ_SRC),'$(1)/tests/replay/$(s:tests/fuzz/fuzz_%.c=%) tests/fuzz/corpus/$(s:tests/fuzz/fuzz_%.c=%)')
san_env = ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 CK_TIMEOUT_MULTIPLIER=5

RUN_UNIT = $(call each,$(UNIT_BIN))
RUN_REPLAY = $(call replay_of,$(O))
RUN_SAN = $(foreach t,$(patsubst %.c,$(BASE)/san/%,$(UNIT_SRC)),'$(san_env) $(t)') \
	$(foreach s,$(FUZZ_SRC),'$(san_env) $(BASE)/san/tests/replay/$(s:tests/fuzz/fuzz_%.c=%) tests/fuzz/corpus/$(s:tests/fuzz/fuzz_%.c=%)')
RUN_BPF = $(if $(BPFTEST_BIN),'timeout=900 CK_DEFAULT_TIMEOUT=300 $(BPFTEST_BIN)')
RUN_ABI = $(if $(ABI_BIN),'$(ABI_BIN) $(BASE)/pintle.bpf.o $(BASE)/tests/abi_types.bpf.o')
RUN_VERIFIER = $(if $(VERIFIER_BIN),$(foreach o,$(BPF_OBJ),'$(VERIFIER_BIN) $(o) tests/verifier/budget.txt')) $(call each,$(VERIFIER_TESTS))
RUN_INSTALL = $(call each,$(INSTALL_TESTS))
RUN_NET = $(call each,$(NET_TESTS))

.PHONY: check run-check test-unit test-install test-bpf test-net test-verifier test-san fuzz run-fuzz fuzz-programs san-programs san-set
check: ## install what the tests need, build, run every test (root); the last line is the totals
	$(Q)scripts/install-deps.sh build test vm
	$(Q)$(MAKE) run-check

# CHECK_EXTRA: more tests in front, in the words of tests/run.sh.
run-check: all programs benches san-programs
	$(Q)tests/run.sh $(CHECK_EXTRA) $(RUN_UNIT) $(RUN_REPLAY) $(RUN_INSTALL) $(RUN_ABI) $(RUN_SAN) $(RUN_BPF) $(RUN_VERIFIER) $(RUN_NET)

san-programs:
	$(Q)$(MAKE) SAN=1 san-set
san-set: all $(UNIT_BIN) $(REPLAY_BIN)
	@:

test-unit: $(UNIT_BIN) $(REPLAY_BIN) ## unit tests and corpus replay
	$(Q)tests/run.sh $(RUN_UNIT) $(RUN_REPLAY)
test-san: san-programs ## the same under ASan and UBSan
	$(Q)tests/run.sh $(RUN_SAN)
test-bpf: all $(BPFTEST_BIN) $(ABI_BIN) ## packet fixtures in the kernel, ABI against BTF (root)
	$(Q)tests/run.sh $(RUN_BPF) $(RUN_ABI)
test-verifier: all $(VERIFIER_BIN) ## instruction budgets here and on Debian's 6.1 in a VM (root)
	$(Q)tests/run.sh $(RUN_VERIFIER)
test-install: all ## what make install leaves under DESTDIR
	$(Q)tests/run.sh $(RUN_INSTALL)
test-net: all benches $(NETTOOL_BIN) ## end to end in network namespaces (root)
	$(Q)tests/run.sh $(RUN_NET)

FUZZ_SECONDS ?= 60
fuzz: ## run each fuzz target FUZZ_SECONDS seconds; crashes land in .output/fuzz/crashes
	$(Q)$(MAKE) FUZZ=1 run-fuzz
fuzz-programs: $(FUZZ_BIN)
run-fuzz: fuzz-programs | $(O)
	$(Q)scripts/fuzz.sh $(FUZZ_SECONDS) $(O) $(FUZZ_SRC:tests/fuzz/fuzz_%.c=%)
