# SPDX-License-Identifier: GPL-2.0
#
# The front door.  Every target installs the Debian packages that it lacks.

.DEFAULT_GOAL := help
.PHONY: help modules tools demo test soak crash check clean
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

BUILD := build

help:
	@echo 'msyncfs: a filesystem whose msync() is one atomic, durable record'
	@echo
	@echo '  make demo      boot a stock 6.12 kernel in QEMU and see msyncfs work'
	@echo '  make test      KUnit suites and end-to-end tests, all in QEMU'
	@echo '                 T="NAME..." runs only these end-to-end tests,'
	@echo '                 T=kunit only the KUnit suites, T=fsck only fsck'
	@echo '  make soak      the tests that count, in full: 50 kills, 10,000 calls, the hook'
	@echo '                 200 times (make test has fewer); T="NAME..." as above'
	@echo '  make crash     12,000 states that a power failure could leave, recovered and'
	@echo '                 looked at; and that broken rules show. T="LOAD..." only these'
	@echo '                 workloads, T="broken [RULE...]" only these rules;'
	@echo '                 CRASH_STATES, CRASH_SEED: how many, and which'
	@echo '  make modules   build/<release>/*.ko; KVER=<release> picks the installed'
	@echo '                 headers (default: newest 6.12), KDIR=<dir> any kernel tree'
	@echo '  make tools     build/tools/: mkfs.msyncfs, fsck.msyncfs, examples/, tests/'
	@echo '  make check     W=1, sparse, checkpatch, kernel-doc, coccinelle, shellcheck,'
	@echo '                 codespell; V=1 shows what they found in full'
	@echo '  make clean     remove build/'
	@echo
	@echo 'Kernels that are fetched or built are kept outside the tree, in'
	@echo '$${MSYNCFS_CACHE:-$${XDG_CACHE_HOME:-~/.cache}/msyncfs}.'

# The caller's MAKEFLAGS (-k, variables) must not leak into the kernel's build.
modules:
	@MAKEFLAGS= KVER='$(KVER)' KDIR='$(KDIR)' scripts/build-modules.sh

demo:
	@MAKEFLAGS= scripts/demo.sh

test:
	@MAKEFLAGS= scripts/test.sh $(T)

soak:
	@MAKEFLAGS= scripts/test.sh -s $(T)

crash:
	@MAKEFLAGS= scripts/crash-explorer.sh $(T)
ifeq ($(T),)
	@MAKEFLAGS= CRASH_STATES= scripts/crash-explorer.sh broken
endif

check:
	@MAKEFLAGS= V='$(V)' scripts/check.sh

clean:
	rm -rf $(BUILD)

# ---- user space --------------------------------------------------------------
# All of it is linked statically: the programs also run in a guest that has
# nothing but busybox.

CC := gcc
TOOL_CFLAGS := -O2 -g -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE \
	       -Iinclude -Iinclude/uapi -Itools/lib -Itools/include -MMD -MP $(CFLAGS)
TOOL_LDFLAGS := -static -pthread $(LDFLAGS)
LIB_OBJS := $(patsubst tools/%.c,$(BUILD)/tools/obj/%.o,$(wildcard tools/lib/*.c))
PROGS := $(patsubst tools/%.c,$(BUILD)/tools/%, \
	   $(wildcard tools/*.msyncfs.c tools/examples/*.c tools/tests/*.c))
EXPLORE := $(BUILD)/tools/tests/explore
EXPLORE_OBJS := $(patsubst tools/%.c,$(BUILD)/tools/obj/%.o,$(wildcard tools/tests/explore/*.c))

tools:
	@scripts/deps.sh tools
	@$(MAKE) -j$$(nproc) tools-built
	@echo "tools: $(words $(PROGS)) programs in $(BUILD)/tools"

.PHONY: tools-built
tools-built: $(PROGS) $(EXPLORE)
	@:

.PRECIOUS: $(BUILD)/tools/obj/%.o
$(BUILD)/tools/obj/%.o: tools/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(TOOL_CFLAGS) -pthread -c -o $@ $<

# An archive, so that a program gets only what it calls.
$(BUILD)/tools/obj/lib.a: $(LIB_OBJS)
	@rm -f $@
	@ar rcs $@ $^

$(PROGS): $(BUILD)/tools/%: $(BUILD)/tools/obj/%.o $(BUILD)/tools/obj/lib.a
	@mkdir -p $(@D)
	@$(CC) -o $@ $^ $(TOOL_LDFLAGS) -lxxhash -lblkid

# The crash explorer checks many states in one process: fsck is part of it.
$(BUILD)/tools/obj/fsck-main.o: tools/fsck.msyncfs.c
	@mkdir -p $(@D)
	@$(CC) $(TOOL_CFLAGS) -Dmain=fsck_main -c -o $@ $<

$(EXPLORE): $(EXPLORE_OBJS) $(BUILD)/tools/obj/fsck-main.o $(BUILD)/tools/obj/lib.a
	@mkdir -p $(@D)
	@$(CC) -o $@ $^ $(TOOL_LDFLAGS) -lxxhash -lblkid

-include $(patsubst $(BUILD)/tools/%,$(BUILD)/tools/obj/%.d,$(PROGS)) $(LIB_OBJS:.o=.d) \
	 $(EXPLORE_OBJS:.o=.d) $(BUILD)/tools/obj/fsck-main.d
