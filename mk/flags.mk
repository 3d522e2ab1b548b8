# SPDX-License-Identifier: BSD-2-Clause
# Tools and flags. Objects depend on this file: a changed flag rebuilds.

BASE := .output
ifdef FUZZ
O := $(BASE)/fuzz
else ifdef SAN
O := $(BASE)/san
else
O := $(BASE)
endif

# Command line and environment win over these.
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
PKG_CONFIG ?= pkg-config
PROTOC_C ?= protoc-c
BPFTOOL ?= $(or $(shell command -v bpftool),/usr/sbin/bpftool)
MULTIARCH := $(shell gcc -print-multiarch 2>/dev/null)

ifdef V
Q :=
say = @:
else
Q := @
ifneq ($(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),)
say = @:
else
say = @printf '  %-8s %s\n'
endif
endif

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Werror
CPPFLAGS_ALL := -I. -Iinclude -I$(BASE) -D_GNU_SOURCE $(CPPFLAGS)
# No contraction to FMA: policies, simulations and trained models are the same to the bit wherever they are computed.
CFLAGS_ALL := -std=gnu11 -O2 -g -ffp-contract=off $(WARNINGS) -ffile-prefix-map=$(CURDIR)=. -fno-omit-frame-pointer $(CFLAGS)
LDFLAGS_ALL := $(LDFLAGS)

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
ifdef FUZZ
CC := $(CLANG)
CFLAGS_ALL += $(SANITIZE) -fsanitize=fuzzer-no-link
LDFLAGS_ALL += $(SANITIZE)
else ifdef SAN
CFLAGS_ALL += $(SANITIZE)
LDFLAGS_ALL += $(SANITIZE)
endif

pkg = $(or $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null),$(2))
LIBS := $(call pkg,libbpf,-lbpf) $(call pkg,libelf,-lelf) $(call pkg,zlib,-lz) $(call pkg,libmnl,-lmnl) \
	$(call pkg,yaml-0.1,-lyaml) $(call pkg,libcjson,-lcjson) \
	$(call pkg,libprotobuf-c,-lprotobuf-c) -lm
CHECK_LIBS := $(call pkg,check,-lcheck -lsubunit -lrt -lpthread)

BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -std=gnu11 -Iinclude -I/usr/include/$(MULTIARCH) -Wall -Wextra -Werror \
	-fdebug-prefix-map=$(CURDIR)=.

# The version is defined for agent/version.c alone, so that a commit recompiles one file.
VERSION := $(or $(shell git describe --always --dirty --tags 2>/dev/null),$(shell cat VERSION 2>/dev/null),unknown)
