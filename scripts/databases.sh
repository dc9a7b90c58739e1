#!/bin/bash
# Build the program of tools/databases, and print the arguments with which initramfs.sh
# copies it into a guest as /bin/databases.
# Usage: databases.sh [python]
#
# python  also copies tools/examples/transfer.py, and Python as /bin/python
#
# The program is linked with LMDB of Debian's package, and with SQLite of Debian's source
# package. SQLite is not changed. The option SQLITE_ENABLE_BATCH_ATOMIC_WRITE makes it
# use the ioctls of f2fs.

. "$(dirname "$0")/common.sh"
[ $# -le 1 ] || usage
"$SCRIPTS/deps.sh" databases

options=(-DSQLITE_ENABLE_BATCH_ATOMIC_WRITE -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION)

compile() {
	(cd "$1" && ./configure --disable-tcl --disable-readline && make sqlite3.c) || return 1
	gcc -O2 -w "${options[@]}" -DHAVE_FDATASYNC=1 -c -o "$dest/sqlite3.o" "$1/sqlite3.c"
	cp "$1/sqlite3.h" "$dest/"
}

build() {
	[ ! -e "$dest/done" ] || return 0
	local source
	source=$("$SCRIPTS/debian-source.sh" sqlite3)
	say "building SQLite"
	rm -rf "$dest"
	mkdir -p "$dest"
	cp -r "$source" "$dest/source"
	run_quietly "$dest/build.log" 'tail -n 1 "$dest/build.log" | cut -c -70' compile "$dest/source" || return 1
	rm -rf "$dest/source"
	: >"$dest/done"
}

key=$({ echo "${options[@]}"; dpkg-query -W -f '${Version}' libsqlite3-0; gcc --version | head -n 1; } | sha256sum | cut -c -12)
dest=$CACHE/sqlite-$key
with_lock sqlite build || die "could not build SQLite; log: $dest/build.log"
make -s -C "$TOP" databases SQLITE="$dest" >&2
echo "-a $BUILD/tools/databases:bin/databases"
[ $# -eq 1 ] || exit 0

# The files keep their paths, so that Python finds them.
read -r -d '' imports <<'EOF' || true
import ctypes, fcntl, os, struct, sys
for f in [os.path.realpath(sys.executable)] + [getattr(m, "__file__", "") for m in sys.modules.values()]:
	print(f or "")
EOF
mapfile -t files < <(python3 -S -E -c "$imports" | grep ^/ | sort -u)
[ ${#files[@]} -gt 1 ] || die "python3 is missing"
for f in "${files[@]}"; do
	echo "-a $f:$f"
	case $f in *.py) ;; *) ldd "$f" | grep -o '/[^ ]*' | sed 's/.*/-a &:&/' ;; esac
	case $f in */bin/python*) printf '#!/bin/sh\nexec %s -S -E "$@"\n' "$f" >"$BUILD/tools/python" ;; esac
done
chmod +x "$BUILD/tools/python"
echo "-a $BUILD/tools/python:bin/python -a $TOP/tools/examples/transfer.py:examples/transfer.py"
