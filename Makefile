# SPDX-License-Identifier: BSD-2-Clause
# pintle. `make help` lists the targets; V=1 shows the commands; SAN=1 builds with ASan and UBSan in .output/san.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

include mk/flags.mk
include mk/bpf.mk
include mk/train.mk
include mk/build.mk
include mk/test.mk
include mk/tasks.mk

# Every directory that holds an output, made on demand (order-only, so that its time stamp means nothing).
$(sort $(patsubst %/,%,$(dir $(OUTPUTS)))):
	$(Q)mkdir -p $@

-include $(wildcard $(DEPS))

# For scripts: make -s print-CFLAGS_ALL
print-%:
	@printf '%s\n' '$($*)'
