# SPDX-License-Identifier: BSD-2-Clause
# BPF objects and their skeletons. They are the same for every flavour and live in .output.

BPF_SRC := $(wildcard bpf/*.bpf.c)
BPF_OBJ := $(BPF_SRC:bpf/%.bpf.c=$(BASE)/%.bpf.o)
SKEL := $(BPF_OBJ:.bpf.o=.skel.h)

# Programs of the benches and tests: bench/x/y.bpf.c -> .output/bench/y.bpf.o, y.skel.h; tests/x/y.bpf.c -> .output/tests/y.*
BENCH_BPF_SRC := $(wildcard bench/*/*.bpf.c)
TEST_BPF_SRC := $(wildcard tests/*/*.bpf.c)
EXTRA_BPF_OBJ := $(patsubst %.bpf.c,$(BASE)/bench/%.bpf.o,$(notdir $(BENCH_BPF_SRC))) \
	$(patsubst %.bpf.c,$(BASE)/tests/%.bpf.o,$(notdir $(TEST_BPF_SRC)))
EXTRA_SKEL := $(EXTRA_BPF_OBJ:.bpf.o=.skel.h)

OUTPUTS += $(BPF_OBJ) $(EXTRA_BPF_OBJ)
DEPS += $(BPF_OBJ:.o=.d) $(EXTRA_BPF_OBJ:.o=.d)

# $(1) object, $(2) source
define bpf_rule
$(1): $(2) mk/flags.mk | $(patsubst %/,%,$(dir $(1)))
	$$(say) BPF $$@
	$$(Q)$$(CLANG) $$(BPF_CFLAGS) -MMD -MP -MF $$(@:.o=.d) -MT $$@ -c $$< -o $$@
endef
$(foreach s,$(BPF_SRC),$(eval $(call bpf_rule,$(BASE)/$(notdir $(s:.c=.o)),$(s))))
$(foreach s,$(BENCH_BPF_SRC),$(eval $(call bpf_rule,$(BASE)/bench/$(notdir $(s:.c=.o)),$(s))))
$(foreach s,$(TEST_BPF_SRC),$(eval $(call bpf_rule,$(BASE)/tests/$(notdir $(s:.c=.o)),$(s))))

# The generated code is not clean under -Wconversion, so it declares itself a system header.
$(SKEL) $(EXTRA_SKEL): %.skel.h: %.bpf.o
	$(say) SKEL $@
	$(Q){ echo '#pragma GCC system_header'; $(BPFTOOL) gen skeleton $< name $(subst -,_,$(notdir $*))_bpf; } > $@
