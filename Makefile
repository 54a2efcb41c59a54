# SPDX-License-Identifier: MIT
# Two commands do everything on a fresh machine: `make demo` shows it, `make check` tests it. Only these (and check-all) install packages, and they say
# which and how large first. `make` alone builds with what is there. Meson does the building; this file only remembers the words.
BUILD  ?= build
prefix ?= /usr/local
MESON   = meson

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) product
	@cp -f $(BUILD)/tool/ipcway ./ipcway

$(BUILD)/build.ninja:
	@scripts/need --missing build
	$(MESON) setup $(BUILD) --prefix=$(prefix) $(MESON_OPTIONS)

demo:
	@scripts/need build
	@$(MAKE) --no-print-directory all
	./ipcway tour
	@scripts/try-next

check:
	@scripts/need build check
	@$(MAKE) --no-print-directory all
	@$(MESON) setup --reconfigure $(BUILD) >/dev/null
	$(MESON) test -C $(BUILD) --print-errorlogs

# sanitizers, fuzzers, static analysis; some ten minutes
check-all:
	@scripts/need build check check-all
	scripts/check-all

# rings: killed and stopped after every single instruction, then ten minutes of torture; some two hours. `make check` does it wherever others could see a
# difference, and for seconds. And `clean` against who begins to use what it removes, 10,000 times; and `deadlocks` for a minute among 50 groups that have none
prove: all
	ninja -C $(BUILD) tests/ring/prove tests/ring/ring_torture tests/unit/test_left tests/unit/test_left_name tests/probe/probe_busy
	$(BUILD)/tests/unit/test_left 10000
	$(BUILD)/tests/unit/test_left_name 10000
	$(BUILD)/tests/probe/probe_busy 50 60
	$(BUILD)/tests/ring/prove --all
	$(BUILD)/tests/ring/ring_torture --seconds 600

# of that the ten minutes of torture alone
torture: all
	ninja -C $(BUILD) tests/ring/ring_torture
	$(BUILD)/tests/ring/ring_torture --seconds 600

# all bars of speed in one table; three minutes, on a machine that does nothing else
bench: all
	ninja -C $(BUILD) bench/bars bench/rings bench/crowd bench/durable bench/scan
	scripts/bench $(BUILD)

# the command in one file that needs the C library and nothing else, for machines where nothing can be installed
portable: $(BUILD)/build.ninja
	@ninja -C $(BUILD) tool/ipcway-portable
	@cp -f $(BUILD)/tool/ipcway-portable ./ipcway-portable

install: all
	DESTDIR=$(DESTDIR) $(MESON) install -C $(BUILD)

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD) build-* ./ipcway ./ipcway-portable

.PHONY: all demo check check-all prove torture bench portable install format clean
