# SPDX-License-Identifier: BSD-2-Clause
.PHONY: clean help
clean: ## remove everything that was built
	$(Q)rm -rf $(BASE)
