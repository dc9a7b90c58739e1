# SPDX-License-Identifier: GPL-2.0
#
# This file is the user interface of the project.  If a target needs a Debian package
# that is missing, the target installs this package.

.DEFAULT_GOAL := help
.PHONY: help modules tools install uninstall deb demo test soak crash fuzz bench bench-check \
	check clean
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

BUILD := build

help:
	@echo 'msyncfs: a filesystem whose msync() is one atomic, durable record'
	@echo
	@echo '  make demo      boot a stock kernel in QEMU and show msyncfs at work'
	@echo '  make test      run KUnit suites and end-to-end tests, all in QEMU'
	@echo '                 T="NAME..." runs only these end-to-end tests,'
	@echo '                 T=kunit only the KUnit suites, T=fsck only the test of fsck,'
	@echo '                 T=fuzz only 200 damaged images,'
	@echo '                 T=bench only some times of make bench-check'
	@echo '                 T=kunit SUITE=NAME[.CASE] runs one KUnit suite or case'
	@echo '                 K=7.3 runs all end-to-end tests on 7.3 instead of 6.12'
	@echo '  make soak      run the repeating tests in full: 50 kills, 10,000 calls, 200'
	@echo '                 loads of the hook, 20,000 damaged images (make test runs fewer);'
	@echo '                 then a mixed load for two hours on each of two debug kernels;'
	@echo '                 T="NAME..." as above, T=mixed only the mixed load,'
	@echo '                 SOAK_MINUTES=N its time on each kernel'
	@echo '  make crash     recover and check 12,000 disk states that a power failure could'
	@echo '                 leave; then break rules and check that a bad state appears'
	@echo '                 T="LOAD..." runs only these workloads,'
	@echo '                 T="broken [RULE...]" breaks only these rules'
	@echo '                 CRASH_STATES=N number of states, CRASH_SEED=N random seed'
	@echo '  make fuzz      mount 1,000 damaged images on a kernel with KASAN, use them, and'
	@echo '                 repair them with fsck'
	@echo '                 FUZZ_IMAGES=N number of images, FUZZ_SEED=N first seed,'
	@echo '                 IMAGE=FILE use this image instead'
	@echo '  make bench     measure msyncfs, ext4, xfs, btrfs and f2fs with the same workloads;'
	@echo '                 T="NAME..." runs only these rows, FS="NAME..." these filesystems;'
	@echo '                 SETUP=slow, through or virtio: on another disk;'
	@echo '                 PROFILE=1 prints where the time of each row goes'
	@echo '  make bench-check  compare the times of msyncfs with tools/bench/expected.csv;'
	@echo '                 T="NAME..." as above, UPDATE=1 writes the times to the file'
	@echo '  make modules   build build/<release>/*.ko; KVER=<release> selects installed'
	@echo '                 headers (default: newest 6.12), KDIR=<dir> any kernel tree,'
	@echo '                 K=7.3 the 7.3 kernel of trixie-backports'
	@echo '  make tools     build build/tools/: mkfs.msyncfs, fsck.msyncfs, examples/, tests/'
	@echo '  make install   install the modules for the running kernel (KVER=<release>: for'
	@echo '                 another one), programs, manuals and the udev rule'
	@echo '                 PREFIX=<dir> (default /usr/local), DESTDIR=<dir>'
	@echo '  make uninstall remove what make install has installed'
	@echo '  make deb       build the Debian packages msyncfs-dkms and msyncfs-tools'
	@echo '  make check     run W=1, sparse, checkpatch, kernel-doc, coccinelle, shellcheck,'
	@echo '                 codespell, docutils; V=1 shows their whole output'
	@echo '  make clean     remove build/'
	@echo
	@echo 'Downloaded and built kernels are kept outside the source tree, in'
	@echo '$${MSYNCFS_CACHE:-$${XDG_CACHE_HOME:-~/.cache}/msyncfs}.'

# The caller's MAKEFLAGS (-k, variables) must not reach the kernel's build.
modules:
	@MAKEFLAGS= K='$(K)' KVER='$(KVER)' KDIR='$(KDIR)' scripts/build-modules.sh

demo:
	@MAKEFLAGS= K='$(K)' scripts/demo.sh

test:
	@MAKEFLAGS= K='$(K)' SUITE='$(SUITE)' scripts/test.sh $(T)

soak:
	@MAKEFLAGS= scripts/test.sh -s $(T)

crash:
	@MAKEFLAGS= scripts/crash-explorer.sh $(T)
ifeq ($(T),)
	@MAKEFLAGS= CRASH_STATES= scripts/crash-explorer.sh broken
endif

fuzz:
	@MAKEFLAGS= IMAGE='$(IMAGE)' scripts/fuzz.sh

bench:
	@MAKEFLAGS= FS='$(FS)' SETUP='$(SETUP)' PROFILE='$(PROFILE)' scripts/bench.sh $(T)

bench-check:
	@MAKEFLAGS= UPDATE='$(UPDATE)' scripts/bench-check.sh $(T)

check:
	@MAKEFLAGS= V='$(V)' scripts/check.sh

clean:
	rm -rf $(BUILD)

# ---- installation ------------------------------------------------------------
# Package builds set DESTDIR.  Then nothing of the running system changes.

PREFIX := /usr/local
DESTDIR :=
SBIN := $(DESTDIR)$(PREFIX)/sbin
UDEV := $(DESTDIR)$(PREFIX)/lib/udev
MAN := $(DESTDIR)$(PREFIX)/share/man
INCLUDE := $(DESTDIR)$(PREFIX)/include/linux
VERSION := $(shell sed -n 's/.*MSYNCFS_VERSION[[:space:]]*"\(.*\)"/\1/p' include/msyncfs_version.h)
DKMS_SOURCE := $(DESTDIR)/usr/src/msyncfs-$(VERSION)
INSTALL_KVER = $(or $(KVER),$(shell uname -r))
UPDATES = $(DESTDIR)/lib/modules/$(INSTALL_KVER)/updates
MODULES := msyncfs.ko msyncfs_hook.ko

.PHONY: install-tools install-modules install-dkms
install: install-tools install-modules

install-modules:
	@$(MAKE) modules KVER='$(INSTALL_KVER)'
	install -d $(UPDATES)
	install -m 644 $(addprefix $(BUILD)/$(INSTALL_KVER)/,$(MODULES)) $(UPDATES)
ifeq ($(DESTDIR),)
	depmod $(INSTALL_KVER)
endif

install-tools:
	@scripts/deps.sh tools
	@$(MAKE) -j$$(nproc) $(addprefix $(BUILD)/tools/,mkfs.msyncfs fsck.msyncfs msyncfs-image msyncfs_id)
	install -d $(SBIN) $(UDEV)/rules.d $(MAN)/man5 $(MAN)/man8 $(INCLUDE)
	install $(addprefix $(BUILD)/tools/,mkfs.msyncfs fsck.msyncfs msyncfs-image) $(SBIN)
	install $(BUILD)/tools/msyncfs_id $(UDEV)
	sed 's|@UDEV@|$(PREFIX)/lib/udev|' tools/61-msyncfs.rules >$(UDEV)/rules.d/61-msyncfs.rules
	install -m 644 Documentation/*.5 $(MAN)/man5
	install -m 644 Documentation/*.8 $(MAN)/man8
	install -m 644 include/uapi/linux/msyncfs.h $(INCLUDE)
ifeq ($(DESTDIR),)
	-udevadm control --reload
endif

# The source of the modules, for "dkms add msyncfs/$(VERSION)".
install-dkms:
	install -d $(DKMS_SOURCE)
	cp -r Kbuild COPYING fs mm include $(DKMS_SOURCE)
	install -m 644 dkms.conf $(DKMS_SOURCE)

uninstall:
	rm -f $(addprefix $(UPDATES)/,$(MODULES))
	rm -f $(addprefix $(SBIN)/,mkfs.msyncfs fsck.msyncfs msyncfs-image) $(INCLUDE)/msyncfs.h
	rm -f $(UDEV)/msyncfs_id $(UDEV)/rules.d/61-msyncfs.rules
	rm -f $(addprefix $(MAN)/man5/,$(notdir $(wildcard Documentation/*.5)))
	rm -f $(addprefix $(MAN)/man8/,$(notdir $(wildcard Documentation/*.8)))
ifeq ($(DESTDIR),)
	depmod $(INSTALL_KVER)
endif

deb:
	@MAKEFLAGS= scripts/deb.sh

# ---- user space --------------------------------------------------------------
# All programs are linked statically, because they also run in guests that have no
# shared libraries. Debian packages are built with STATIC=.

CC := gcc
TOOL_CFLAGS := -O2 -g -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE \
	       -Iinclude -Iinclude/uapi -Itools/lib -MMD -MP $(CFLAGS)
STATIC := -static
TOOL_LDFLAGS := $(STATIC) -pthread $(LDFLAGS)
LIB_OBJS := $(patsubst tools/%.c,$(BUILD)/tools/obj/%.o,$(wildcard tools/lib/*.c))
PROGS := $(patsubst tools/%.c,$(BUILD)/tools/%, \
	   $(wildcard tools/*.msyncfs.c tools/msyncfs-image.c tools/msyncfs_id.c tools/examples/*.c tools/tests/*.c))
# For the test of fsck: fsck and its images with hashes of 8 bits, which many names share.
WEAK := $(addprefix $(BUILD)/tools/weak/,fsck.msyncfs msyncfs-image tests/fsck-image)
WEAK_OBJS := $(patsubst tools/%.c,$(BUILD)/tools/obj-weak/%.o,$(wildcard tools/lib/*.c))
EXPLORE := $(BUILD)/tools/tests/explore
BENCH := $(BUILD)/tools/bench/bench
BENCH_DB := $(BUILD)/tools/bench/db
BENCH_OBJS := $(patsubst tools/%.c,$(BUILD)/tools/obj/%.o, \
		$(filter-out tools/bench/db.c,$(wildcard tools/bench/*.c)))
BENCH_DB_OBJS := $(addprefix $(BUILD)/tools/obj/bench/,db.o measure.o)
EXPLORE_OBJS := $(patsubst tools/%.c,$(BUILD)/tools/obj/%.o,$(wildcard tools/tests/explore/*.c))

tools:
	@scripts/deps.sh tools
	@$(MAKE) -j$$(nproc) tools-built
	@echo "tools: $(words $(PROGS)) programs in $(BUILD)/tools"

.PHONY: tools-built
tools-built: $(PROGS) $(WEAK) $(EXPLORE) $(BENCH)
	@:

.PRECIOUS: $(BUILD)/tools/obj/%.o
$(BUILD)/tools/obj/%.o: tools/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(TOOL_CFLAGS) -pthread -c -o $@ $<

# The library is an archive, so each program gets only the objects that it needs.
$(BUILD)/tools/obj/lib.a: $(LIB_OBJS)
	@rm -f $@
	@ar rcs $@ $^

$(PROGS): $(BUILD)/tools/%: $(BUILD)/tools/obj/%.o $(BUILD)/tools/obj/lib.a
	@mkdir -p $(@D)
	@$(CC) -o $@ $^ $(TOOL_LDFLAGS) -lxxhash -lblkid

# scripts/databases.sh sets SQLITE.
DATABASES := $(BUILD)/tools/databases
DATABASES_OBJS := $(patsubst tools/%.c,$(BUILD)/tools/obj/%.o,$(wildcard tools/databases/*.c))

.PHONY: databases
databases: $(DATABASES)

$(DATABASES_OBJS): TOOL_CFLAGS += -I$(SQLITE)
$(DATABASES): $(DATABASES_OBJS) $(SQLITE)/sqlite3.o
	@$(CC) -o $@ $^ $(TOOL_LDFLAGS) -llmdb -lm

$(BUILD)/tools/obj-weak/%.o: tools/%.c
	@mkdir -p $(@D)
	@echo "  CC    $< (weak hash)"
	@$(CC) $(TOOL_CFLAGS) -DMSYNCFS_HASH_MASK='(255ULL << 56)' -c -o $@ $<

$(WEAK): $(BUILD)/tools/weak/%: $(BUILD)/tools/obj-weak/%.o $(WEAK_OBJS)
	@mkdir -p $(@D)
	@$(CC) -o $@ $^ $(TOOL_LDFLAGS) -lxxhash -lblkid

# The crash explorer calls fsck for many disk states in one process.  So fsck is
# linked into the crash explorer, and the main() of fsck gets another name.
$(BUILD)/tools/obj/fsck-main.o: tools/fsck.msyncfs.c
	@mkdir -p $(@D)
	@$(CC) $(TOOL_CFLAGS) -Dmain=fsck_main -c -o $@ $<

$(EXPLORE): $(EXPLORE_OBJS) $(BUILD)/tools/obj/fsck-main.o $(BUILD)/tools/obj/lib.a
	@mkdir -p $(@D)
	@$(CC) -o $@ $^ $(TOOL_LDFLAGS) -lxxhash -lblkid

# The fuzzer has two programs.  Both call fsck without a new process, see tools/fuzz/inside.c.
# In the program for the host everything is built with sanitizers, for which it must be linked
# dynamically.  tools/fuzz/populate.c has its own getrandom(), so only the guest gets it.
FUZZ := $(addprefix $(BUILD)/tools/fuzz/,guest host)
FUZZ_SRCS := $(addprefix tools/fuzz/,mutate.c inside.c) tools/fsck.msyncfs.c \
	     $(filter-out tools/lib/device.c,$(wildcard tools/lib/*.c))
FUZZ_GUEST_OBJS := $(patsubst tools/%.c,$(BUILD)/tools/obj-fuzz/%.o,$(FUZZ_SRCS) \
		     $(addprefix tools/fuzz/,guest.c exercise.c populate.c) tools/mkfs.msyncfs.c)
FUZZ_HOST_OBJS := $(patsubst tools/%.c,$(BUILD)/tools/obj-fuzz-san/%.o,$(FUZZ_SRCS) tools/fuzz/host.c)
FUZZ_CFLAGS = $(TOOL_CFLAGS) $(if $(findstring fsck,$(@F)),-Dmain=fsck_main -Dexit=fsck_exit) \
	      $(if $(findstring mkfs,$(@F)),-Dmain=mkfs_main)
SAN_CFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

.PHONY: fuzz-tools
fuzz-tools: $(FUZZ)
	@:

$(BUILD)/tools/obj-fuzz/%.o: tools/%.c
	@mkdir -p $(@D)
	@echo "  CC    $< (fuzzer)"
	@$(CC) $(FUZZ_CFLAGS) -c -o $@ $<

$(BUILD)/tools/fuzz/guest: $(FUZZ_GUEST_OBJS)
	@mkdir -p $(@D)
	@$(CC) -o $@ $^ $(TOOL_LDFLAGS) -lxxhash -lblkid

$(BUILD)/tools/obj-fuzz-san/%.o: tools/%.c
	@mkdir -p $(@D)
	@echo "  CC    $< (sanitizers)"
	@$(CC) $(FUZZ_CFLAGS) $(SAN_CFLAGS) -c -o $@ $<

$(BUILD)/tools/fuzz/host: $(FUZZ_HOST_OBJS)
	@mkdir -p $(@D)
	@$(CC) -o $@ $^ $(SAN_CFLAGS) -lxxhash

$(BENCH): $(BENCH_OBJS) $(BUILD)/tools/obj/lib.a
	@mkdir -p $(@D)
	@$(CC) -o $@ $^ $(TOOL_LDFLAGS)

# The program needs the libraries of databases, so only make bench builds it.  SQLite
# calls dlopen() for extensions, which no workload uses; -w hides the warning.
$(BENCH_DB): $(BENCH_DB_OBJS)
	@mkdir -p $(@D)
	@$(CC) -o $@ $^ $(TOOL_LDFLAGS) -Wl,-w -lsqlite3 -llmdb -lm -lz

-include $(patsubst $(BUILD)/tools/%,$(BUILD)/tools/obj/%.d,$(PROGS)) $(LIB_OBJS:.o=.d) \
	 $(patsubst $(BUILD)/tools/weak/%,$(BUILD)/tools/obj-weak/%.d,$(WEAK)) $(WEAK_OBJS:.o=.d) \
	 $(EXPLORE_OBJS:.o=.d) $(BENCH_OBJS:.o=.d) $(BENCH_DB_OBJS:.o=.d) $(BUILD)/tools/obj/fsck-main.d \
	 $(FUZZ_GUEST_OBJS:.o=.d) $(FUZZ_HOST_OBJS:.o=.d)
