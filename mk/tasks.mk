# SPDX-License-Identifier: BSD-2-Clause
# Everything that is neither build nor test: demo, benches, lint, generated pages, installation.

.PHONY: models demo demo-picture testbed-up testbed-down testbed-shell bench lint docs format install clean help
demo: ## install, build, and compare the policies under load (root, Debian 12); cleans up
	$(Q)scripts/install-deps.sh build demo
	$(Q)$(MAKE) all benches
	$(Q)bench/demo/run.sh
demo-picture: all benches ## the same, and keep its picture as docs/demo.svg
	$(Q)bench/demo/run.sh --picture docs/demo.svg

testbed-up: ## the demo's network namespaces, left standing (root)
	$(Q)scripts/install-deps.sh build demo
	$(Q)$(MAKE) all benches
	$(Q)bench/testbed/testbed.sh up --serve --v6
testbed-down: ## remove them
	$(Q)bench/testbed/testbed.sh down
testbed-shell: ## a shell inside
	$(Q)bench/testbed/testbed.sh shell

BENCHES ?= $(sort $(wildcard bench/*/bench.sh))
bench: all benches ## every bench/*/bench.sh (root; long; BENCHES= picks)
	$(Q)set -e; for b in $(BENCHES); do echo "== $$b"; "$$b"; done

models: $(O)/train/train ## make the models of policy/models anew: the same bytes, unless the policy or the simulator changed
	$(Q)mkdir -p policy/models
	$(Q)$< make --out policy/models/default.ptm --threads $(MODEL_THREADS)

MODEL_THREADS ?= 2
lint: ## format, warnings, analysers, house rules
	$(Q)scripts/install-deps.sh build test lint
	$(Q)$(MAKE) all
	$(Q)scripts/lint.sh

docs: docs/verdicts.md docs/metrics.md docs/cli.md ## generated pages
docs/verdicts.md: scripts/gen-verdicts.sh include/pintle/verdict.def
	$(say) GEN $@
	$(Q)mkdir -p $(@D) && scripts/gen-verdicts.sh > $@
docs/metrics.md: scripts/gen-metrics.sh include/pintle/metrics.def
	$(say) GEN $@
	$(Q)mkdir -p $(@D) && scripts/gen-metrics.sh > $@
docs/cli.md: $(PROGRAM)
	$(say) GEN $@
	$(Q)$(PROGRAM) complete --markdown > $@

format: ## rewrite the sources in the house format
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')

PREFIX ?= /usr/local
INSTALL ?= install
COMPLETION_DIR ?= $(PREFIX)/share/bash-completion/completions
MAN_DIR ?= $(PREFIX)/share/man
$(O)/pintle.8: $(PROGRAM)
	$(say) GEN $@
	$(Q)$(PROGRAM) complete --man > $@
install: all $(O)/pintle.8 ## install under DESTDIR and PREFIX: program, bash completion, manual page, documentation
	$(Q)$(INSTALL) -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/doc/pintle $(DESTDIR)$(COMPLETION_DIR) $(DESTDIR)$(MAN_DIR)/man8
	$(Q)$(INSTALL) -m 0755 $(PROGRAM) $(DESTDIR)$(PREFIX)/sbin/pintle
	$(Q)$(INSTALL) -m 0644 deploy/completion/pintle.bash $(DESTDIR)$(COMPLETION_DIR)/pintle
	$(Q)$(INSTALL) -m 0644 $(O)/pintle.8 $(DESTDIR)$(MAN_DIR)/man8/pintle.8
	$(Q)$(INSTALL) -m 0644 LICENSE $(wildcard README.md docs/*.md) $(DESTDIR)$(PREFIX)/share/doc/pintle

clean: ## remove everything that was built
	$(Q)rm -rf $(BASE)

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1\t\2/p' mk/*.mk | sort | expand -t 20
