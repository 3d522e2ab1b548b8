# SPDX-License-Identifier: BSD-2-Clause
# The agent, its libraries, the unit, BPF and fuzz programs, the benches. Lists are wildcards: a new file needs no line here.

AGENT_SRC := $(sort $(wildcard agent/*.c))
AGENT_PROTO := $(sort $(wildcard agent/*.proto))
POLICY_SRC := $(sort $(wildcard policy/*.c))
UNIT_SRC := $(sort $(wildcard tests/unit/check_*.c))
UNIT_KERNEL_SRC := $(filter-out $(UNIT_SRC),$(sort $(wildcard tests/unit/*_kernel.c))) # X_kernel.c replaces library functions for check_X and check_X_*
UNIT_LIB_SRC := $(filter-out $(UNIT_SRC) $(UNIT_KERNEL_SRC),$(sort $(wildcard tests/unit/*.c)))
BPFTEST_SRC := $(filter-out %.bpf.c,$(sort $(wildcard tests/bpf/*.c)))
MODEL_SRC := $(sort $(wildcard tests/model/*.c)) # reference model of the programs, for unit, BPF and fuzz programs
ABI_SRC := $(filter-out %.bpf.c,$(sort $(wildcard tests/abi/*.c)))
VERIFIER_SRC := $(filter-out %.bpf.c,$(sort $(wildcard tests/verifier/*.c)))
NETTOOL_SRC := $(sort $(wildcard tests/net/tools/*.c)) # one program each, for the scripts of tests/net
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LIB_SRC := $(filter-out $(FUZZ_SRC) tests/fuzz/replay.c,$(sort $(wildcard tests/fuzz/*.c)))
BENCH_SRC := $(filter-out %.bpf.c,$(sort $(wildcard bench/*/*.c)))
BENCH_TOOLS := $(sort $(patsubst bench/%/,%,$(dir $(BENCH_SRC))))

obj = $(patsubst %.c,$(O)/obj/%.o,$(1))
C_SRC := $(AGENT_SRC) $(POLICY_SRC) $(TRAIN_SRC) $(TRAIN_MAIN_SRC) $(UNIT_SRC) $(UNIT_LIB_SRC) $(UNIT_KERNEL_SRC) $(BPFTEST_SRC) $(MODEL_SRC) $(ABI_SRC) \
	$(VERIFIER_SRC) $(NETTOOL_SRC) $(FUZZ_SRC) $(FUZZ_LIB_SRC) \
	$(BENCH_SRC) $(wildcard tests/fuzz/replay.c)
C_OBJ := $(call obj,$(C_SRC))

# Messages: agent/x.proto -> .output/x.pb-c.{c,h}. The generated code is as its generator makes it: warnings are off.
PROTO_C := $(AGENT_PROTO:agent/%.proto=$(BASE)/%.pb-c.c)
PROTO_H := $(PROTO_C:.c=.h)
PROTO_OBJ := $(AGENT_PROTO:agent/%.proto=$(O)/obj/%.pb-c.o)
OUTPUTS += $(PROTO_C) $(PROTO_OBJ)

LIBAGENT := $(O)/libagent.a
LIBPOLICY := $(O)/libpolicy.a
LIBMODEL := $(O)/libmodel.a
PROGRAM := $(if $(wildcard agent/main.c),$(O)/pintle)
UNIT_BIN := $(patsubst %.c,$(O)/%,$(UNIT_SRC))
BPFTEST_BIN := $(if $(BPFTEST_SRC),$(O)/tests/bpf_tests)
ABI_BIN := $(if $(ABI_SRC),$(O)/tests/abi_check)
VERIFIER_BIN := $(if $(VERIFIER_SRC),$(O)/tests/verifier_budget)
NETTOOL_BIN := $(patsubst tests/net/tools/%.c,$(O)/tests/%,$(NETTOOL_SRC))
REPLAY_BIN := $(patsubst tests/fuzz/fuzz_%.c,$(O)/tests/replay/%,$(FUZZ_SRC))
FUZZ_BIN := $(patsubst tests/fuzz/fuzz_%.c,$(O)/tests/fuzzers/%,$(FUZZ_SRC))
BENCH_BIN := $(BENCH_TOOLS:%=$(O)/bench/%)

OUTPUTS += $(C_OBJ) $(LIBAGENT) $(UNIT_BIN) $(BPFTEST_BIN) $(ABI_BIN) $(VERIFIER_BIN) $(NETTOOL_BIN) $(REPLAY_BIN) $(FUZZ_BIN) $(BENCH_BIN:=.d)
DEPS += $(C_OBJ:.o=.d)

.PHONY: all programs benches
all: $(PROGRAM) $(LIBAGENT) $(LIBPOLICY) $(LIBTRAIN) $(TRAIN_BIN) $(BPF_OBJ) ## build the agent and the BPF object
programs: $(UNIT_BIN) $(BPFTEST_BIN) $(ABI_BIN) $(VERIFIER_BIN) $(NETTOOL_BIN) $(REPLAY_BIN)
benches: $(BENCH_BIN) $(EXTRA_BPF_OBJ) ## build the bench tools

# Skeletons and messages exist before the first compilation; later the dependency files know who includes them.
.SECONDEXPANSION:
$(C_OBJ): $(O)/obj/%.o: %.c mk/flags.mk | $$(@D) $(SKEL) $(PROTO_H)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CPPFLAGS_FILE) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(call obj,$(BPFTEST_SRC) $(BENCH_SRC)): | $(EXTRA_SKEL)
$(UNIT_BIN) $(BPFTEST_BIN) $(ABI_BIN) $(VERIFIER_BIN) $(NETTOOL_BIN) $(REPLAY_BIN) $(FUZZ_BIN): | $$(@D)

$(PROTO_C): $(BASE)/%.pb-c.c: agent/%.proto | $(BASE)
	$(say) PROTO $@
	$(Q)$(PROTOC_C) --proto_path=agent --c_out=$(BASE) $<
$(PROTO_H): $(PROTO_C)
$(PROTO_OBJ): $(O)/obj/%.o: $(BASE)/%.c $(BASE)/%.h mk/flags.mk | $$(@D)
	$(say) CC $@
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -w -c $< -o $@

# Touched only when the version differs from the one built last.
VERSION_STAMP := $(O)/version.stamp
$(O)/obj/agent/version.o: CPPFLAGS_FILE := -DPINTLE_VERSION='"$(VERSION)"'
$(O)/obj/agent/version.o: $(VERSION_STAMP)
ifneq ($(file <$(VERSION_STAMP)),$(VERSION))
.PHONY: $(VERSION_STAMP)
endif
$(VERSION_STAMP): | $(O)
	$(Q)printf '%s\n' '$(VERSION)' > $@

# The model that is part of the program, when there is one. The stamp is touched when it comes or goes.
DEFAULT_MODEL := $(wildcard policy/models/default.ptm)
DEFAULT_MODEL_STAMP := $(BASE)/default_model.stamp
DEFAULT_MODEL_H := $(BASE)/default_model.h
ifneq ($(file <$(DEFAULT_MODEL_STAMP)),$(or $(DEFAULT_MODEL),none))
.PHONY: $(DEFAULT_MODEL_STAMP)
endif
$(DEFAULT_MODEL_STAMP): | $(BASE)
	$(Q)printf '%s\n' '$(or $(DEFAULT_MODEL),none)' > $@
$(DEFAULT_MODEL_H): $(DEFAULT_MODEL) $(DEFAULT_MODEL_STAMP)
	$(say) EMBED $@
	$(Q){ [ -z '$(DEFAULT_MODEL)' ] || { echo '#define HAS_DEFAULT_MODEL'; echo 'static const unsigned char default_model[] = {'; \
		od -An -v -tu1 $(DEFAULT_MODEL) | sed 's/[0-9][0-9]*/&,/g'; echo '};'; }; } > $@
$(O)/obj/agent/modelfile.o: $(DEFAULT_MODEL_H)

$(LIBAGENT): $(call obj,$(filter-out agent/main.c,$(AGENT_SRC))) $(PROTO_OBJ) | $(O)
$(LIBPOLICY): $(call obj,$(POLICY_SRC)) | $(O)
$(LIBMODEL): $(call obj,$(MODEL_SRC)) | $(O)
$(LIBAGENT) $(LIBPOLICY) $(LIBMODEL): # an object that went must not stay in: the archive is made anew
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)

link = $(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(filter %.o,$^) $(filter %/libmodel.a,$^) $(filter %/libagent.a,$^) \
	$(filter %/libtrain.a,$^) $(filter %/libpolicy.a,$^) $(1) $(LIBS) -o $@

$(PROGRAM): $(O)/obj/agent/main.o $(LIBAGENT) $(LIBPOLICY)
	$(say) LINK $@
	$(call link)

$(UNIT_BIN): $(O)/%: $(O)/obj/%.o $(call obj,$(UNIT_LIB_SRC)) \
	$$(call obj,$$(filter tests/unit/$$(firstword $$(subst _, ,$$(subst check_,,$$(notdir $$*))))_kernel.c,$$(UNIT_KERNEL_SRC))) $(LIBMODEL) $(LIBAGENT) $(LIBTRAIN) $(LIBPOLICY)
	$(say) LINK $@
	$(call link,$(CHECK_LIBS))

$(BPFTEST_BIN): $(call obj,$(BPFTEST_SRC)) $(LIBMODEL) $(LIBAGENT) $(LIBPOLICY)
	$(say) LINK $@
	$(call link,$(CHECK_LIBS))

$(ABI_BIN): $(call obj,$(ABI_SRC)) | $(BASE)/tests/abi_types.bpf.o
$(VERIFIER_BIN): $(call obj,$(VERIFIER_SRC))
$(ABI_BIN) $(VERIFIER_BIN): | $(BPF_OBJ)
	$(say) LINK $@
	$(call link)

$(NETTOOL_BIN): $(O)/tests/%: $(O)/obj/tests/net/tools/%.o $(LIBAGENT) $(LIBPOLICY)
	$(say) LINK $@
	$(call link)

$(REPLAY_BIN): $(O)/tests/replay/%: $(O)/obj/tests/fuzz/fuzz_%.o $(O)/obj/tests/fuzz/replay.o $(call obj,$(FUZZ_LIB_SRC)) $(LIBMODEL) $(LIBAGENT) $(LIBTRAIN) $(LIBPOLICY)
	$(say) LINK $@
	$(call link)

ifdef FUZZ
$(FUZZ_BIN): $(O)/tests/fuzzers/%: $(O)/obj/tests/fuzz/fuzz_%.o $(call obj,$(FUZZ_LIB_SRC)) $(LIBMODEL) $(LIBAGENT) $(LIBTRAIN) $(LIBPOLICY)
	$(say) LINK $@
	$(call link,-fsanitize=fuzzer)
endif

# One tool per directory, named like it.
define bench_rule
$(O)/bench/$(1): $(call obj,$(filter bench/$(1)/%,$(BENCH_SRC))) $(LIBMODEL) $(LIBAGENT) $(LIBPOLICY) | $(O)/bench
	$$(say) LINK $$@
	$$(call link)
endef
$(foreach t,$(BENCH_TOOLS),$(eval $(call bench_rule,$(t))))
$(O)/bench/load: $(call obj,bench/pod/speed.c) # the replay knows the pods' speeds
# Pure parts of the benches that have unit tests.
$(O)/tests/unit/check_speed: $(call obj,bench/pod/speed.c)
$(O)/tests/unit/check_prequal: $(call obj,bench/load/prequal.c)
$(O)/tests/unit/check_bootstrap: $(call obj,bench/route/bootstrap.c)
