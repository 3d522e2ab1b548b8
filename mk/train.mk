# SPDX-License-Identifier: BSD-2-Clause
# policy/train: offline tools. X_main.c is a program .output/train/X, everything else libtrain.a. Lists are wildcards.

TRAIN_MAIN_SRC := $(sort $(wildcard policy/train/*_main.c policy/train/*/*_main.c))
TRAIN_SRC := $(filter-out $(TRAIN_MAIN_SRC),$(sort $(wildcard policy/train/*.c policy/train/*/*.c)))
LIBTRAIN := $(O)/libtrain.a
TRAIN_BIN := $(patsubst %_main.c,$(O)/train/%,$(notdir $(TRAIN_MAIN_SRC)))
OUTPUTS += $(LIBTRAIN) $(TRAIN_BIN)

$(LIBTRAIN): $(TRAIN_SRC:%.c=$(O)/obj/%.o) | $(O)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)

# $(1) X_main.c
define train_rule
$(O)/train/$(patsubst %_main.c,%,$(notdir $(1))): $(1:%.c=$(O)/obj/%.o) $(LIBTRAIN) $(O)/libpolicy.a | $(O)/train
	$$(say) LINK $$@
	$$(Q)$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) $$(filter %.o,$$^) $$(LIBTRAIN) $$(O)/libpolicy.a $$(call pkg,libcjson,-lcjson) -lm -o $$@
endef
$(foreach s,$(TRAIN_MAIN_SRC),$(eval $(call train_rule,$(s))))
