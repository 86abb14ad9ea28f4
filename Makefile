# cached_query - caches the results of SELECTs in shared memory
#
#   make                 build the extension (README.md names the packages that this needs)
#   make install         install it into the server that PG_CONFIG belongs to
#   make installcheck    SQL, isolation and TAP tests with private servers, after make install
#   make deb             Debian packages, one for each server whose -dev package is installed, in dist/
#   make test            all tests; installs what a fresh Debian lacks, leaves nothing running
#   make test-sanitize   unit tests, fuzz targets and regress tests with sanitizers and valgrind
#   make test-versions   all tests with 17 and 18, the packages and pg_upgrade, in chroots; as root
#   make test-package    all tests with the Debian packages for 15, 17 and 18, installed in chroots; as root
#   make demo            a slow query, direct and cached, on a throw-away server
#   make bench           the benchmarks (ROUNDS=... and ROWS=... to shorten them)
#   make profile         instructions of a hit, by callgrind, against test/bench/budget.txt
#   make unit            the unit tests that need no server
#   make format-check    clang-format over src/
#
# Variables: PG_CONFIG=..., CQ_DEBUG=1 (own assertions and test waits), WERROR=1,
# PARTS="regress tap" and TESTS="name ..." for make test, PARTS="article" for make bench, ROWS=... for
# make demo.

MODULE_big = cached_query
EXTENSION  = control/$(MODULE_big)
DATA       = $(sort $(wildcard control/$(MODULE_big)--*.sql))
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" $(EXTENSION).control)
SOURCES    := $(sort $(wildcard src/*.cpp src/*/*.cpp))
OBJS       = $(SOURCES:.cpp=.o)
PG_CONFIG ?= pg_config

# These goals find or install a server by themselves, or need none.
STANDALONE = test test-sanitize test-versions test-package demo bench profile unit deb format-check
.PHONY: $(STANDALONE)

ifneq ($(filter-out $(STANDALONE),$(or $(MAKECMDGOALS),all)),)

# libpq-dev has a pg_config, too, but no PGXS: look for the file, not for the name it has.
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error $(PG_CONFIG) knows no PGXS: install the Debian package postgresql-server-dev-15 (or of another version), or say PG_CONFIG=/path/to/pg_config)
endif

override PG_CPPFLAGS += -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) -MMD -MP
override PG_CXXFLAGS += -std=gnu++20 -fno-exceptions -fno-rtti -Wall -Wextra -Wshadow -Wno-register
# Our functions call each other, whatever else the server has loaded under their names.
override PG_CXXFLAGS += -fno-semantic-interposition
SHLIB_LINK += -Wl,-Bsymbolic
ifneq ($(WERROR)$(CI),)
override PG_CXXFLAGS += -Werror
endif
ifneq ($(CQ_DEBUG),)
override PG_CPPFLAGS += -DCQ_DEBUG
override PG_CXXFLAGS += -O1 -g
endif

# For Redis: hiredis for the protocol, OpenSSL for TLS and signatures, lz4 and zstd for values.
SHLIB_LINK += -lhiredis -lssl -lcrypto -llz4 -lzstd

# PGXS links with the C compiler and compiles bitcode without PG_CXXFLAGS.  A cache gains nothing
# from inlining its SQL functions, so there is no bitcode.  -MMD above does what autodepend would;
# autodepend itself names the dependency files without their folder.
override COMPILER   = $(CXX) $(CXXFLAGS)
override with_llvm  = no
override autodepend = no

# The SQL tests share the helpers that `init` makes; beyond that their order does not matter.
TEMP_INSTANCE  = --temp-config=test/cached_query.conf --no-locale --encoding=UTF8
REGRESS       := $(patsubst sql/%.sql,%,$(wildcard sql/init.sql) $(sort $(filter-out sql/init.sql,$(wildcard sql/*.sql))))
REGRESS_OPTS   = --temp-instance=tmp_check_regress $(TEMP_INSTANCE) --load-extension=$(MODULE_big)
ISOLATION     := $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --temp-instance=tmp_check_isolation $(TEMP_INSTANCE) \
	--load-extension=$(MODULE_big)
PROVE_TESTS   := $(sort $(wildcard test/t/*.pl))
TAP_TESTS     := $(if $(PROVE_TESTS),1)

EXTRA_CLEAN = $(OBJS:.o=.d) .build_flags tmp_check_regress tmp_check_isolation

include $(PGXS)

ifeq ($(shell command -v $(CXX) 2>/dev/null),)
$(error there is no $(CXX): install the Debian package g++)
endif

# Say which package is missing, and not only which header.
ifneq ($(filter-out clean distclean,$(or $(MAKECMDGOALS),all)),)
LIBRARIES = libhiredis-dev:hiredis/hiredis.h libssl-dev:openssl/ssl.h liblz4-dev:lz4.h libzstd-dev:zstd.h
MISSING := $(strip $(foreach library,$(LIBRARIES),$(shell \
	printf '\043include <%s>\n' '$(word 2,$(subst :, ,$(library)))' | \
	$(CXX) $(filter-out -MMD -MP,$(CPPFLAGS)) -E -x c++ - >/dev/null 2>&1 || \
	echo '$(word 1,$(subst :, ,$(library)))')))
ifneq ($(MISSING),)
$(error headers are missing: install the Debian packages $(MISSING))
endif
endif

src/module.o src/base/release.o: private override CPPFLAGS += -DCACHED_QUERY_VERSION='"$(EXTVERSION)"'

-include $(OBJS:.o=.d)

# Rebuild everything when another server or other flags are asked for.  The file is written only
# when its text changes, so that an unchanged tree stays up to date.
BUILD_FLAGS = $(VERSION) $(EXTVERSION) $(CXX) $(CXXFLAGS) $(CPPFLAGS)
.build_flags: FORCE
	@echo '$(BUILD_FLAGS)' | cmp -s - $@ || echo '$(BUILD_FLAGS)' >$@
$(OBJS): .build_flags
.PHONY: FORCE

endif

test:
	@test/run $(PARTS)

test-sanitize:
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-20} test/run unit fuzz sanitize valgrind

test-versions:
	@test/versions

test-package:
	@test/versions package

unit:
	@test/run unit

deb:
	@packaging/deb

demo:
	@test/demo

bench:
	@test/bench/run $(PARTS)

profile:
	@test/bench/profile

format-check:
	@if command -v clang-format-14 >/dev/null; then \
		clang-format-14 --dry-run -Werror $(SOURCES) $(sort $(wildcard src/*.h src/*/*.h test/unit/*.cpp test/fuzz/*.cpp test/bench/*.cpp)); \
	else \
		echo "format-check: skipped, there is no clang-format-14"; \
	fi
