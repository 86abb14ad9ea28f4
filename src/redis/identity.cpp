/*
 * identity.cpp
 *		Secret and namespace of this server, kept until a setting changes; names of keys.
 */
#include "pg.h"
#include "base/shared.h"
#include "redis/identity.h"
#include "redis/secret.h"

extern "C" {
#include "lib/stringinfo.h"
}

#include <climits>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cq::redis
{
namespace
{

constexpr int64 kRetryUs = 10 * USECS_PER_SEC;
constexpr char kOwnLabel[] = "cached_query namespace";

char *secret_setting = nullptr;    // cached_query.redis_secret
char *secret_file = nullptr;       // cached_query.redis_secret_file
char *namespace_setting = nullptr; // cached_query.redis_namespace
uint32 settings_version = 1;       // raised when one of them changes

Identity identity;
TimestampTz made_at = 0;

/* The problem that was logged last, as a number, 0 = none: no lock, exchanged. */
struct Shared
{
	pg_atomic_uint64 logged;
};

Shared *shared = nullptr;

/* --- settings ------------------------------------------------------------------------------- */

/* The server's own message would show the value. */
bool
CheckSecret(char **newval, void **, GucSource)
{
	if ((*newval)[0] == '\0' || strlen(*newval) >= kMinSecretText)
		return true;
	GUC_check_errmsg("invalid value for parameter \"%s\"", "cached_query.redis_secret");
	GUC_check_errdetail("It must have at least %zu bytes, or none.", kMinSecretText);
	return false;
}

bool
CheckNamespace(char **newval, void **, GucSource)
{
	size_t length = strlen(*newval);

	if (length <= kMaxNamespace &&
		strspn(*newval, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
			length)
		return true;
	GUC_check_errdetail("It can have up to %d letters of ASCII, digits, \"_\", \".\" and \"-\".",
						kMaxNamespace);
	return false;
}

void
AssignEither(const char *, void *)
{
	settings_version++;
}

const char *
ShowSecret()
{
	return secret_setting != nullptr && secret_setting[0] != '\0' ? "********" : "";
}

/* --- the namespace of a data directory ------------------------------------------------------- */

void
AppendMachineId(StringInfo text)
{
	char id[64];
	int fd = open("/etc/machine-id", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;

	ssize_t length = read(fd, id, sizeof(id));

	close(fd);
	if (length > 0)
		appendBinaryStringInfo(text, id, static_cast<int>(length));
}

/* Where the data directory is, as text; parts end with a zero byte, so that none runs into the next. */
bool
DescribePlace(StringInfo text, Problem *problem)
{
	char path[PATH_MAX];
	char host[256] = {};
	struct stat status;

	if (realpath(DataDir, path) == nullptr || stat(path, &status) != 0)
	{
		*problem = {"could not find the data directory's place", errno, false};
		return false;
	}
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	appendStringInfo(text, UINT64_FORMAT "%c%s%c%llu%c%llu%c%s%c", identity.system_identifier, 0,
					 path, 0, static_cast<unsigned long long>(status.st_dev), 0,
					 static_cast<unsigned long long>(status.st_ino), 0, host, 0);
	AppendMachineId(text);
	return true;
}

bool
OwnNamespace(Problem *problem)
{
	StringInfoData text;
	uint8 mac[kMacBytes];
	bool ok;

	initStringInfo(&text);
	appendBinaryStringInfo(&text, kOwnLabel, sizeof(kOwnLabel));
	ok = DescribePlace(&text, problem);
	if (ok && !Sign(identity.secret, text.data, static_cast<size_t>(text.len), mac))
	{
		*problem = {"OpenSSL has no SHA-256", 0, false};
		ok = false;
	}
	pfree(text.data);
	for (int i = 0; ok && i < 8; i++)
		snprintf(identity.name_space + 2 * i, 3, "%02x", mac[i]);
	return ok;
}

/* --- making it ------------------------------------------------------------------------------- */

/* Whoever sees a change first logs it. */
void
Report(const Problem &problem)
{
	uint64 number = 0;

	if (problem.what != nullptr)
		number = (hash_bytes_extended(reinterpret_cast<const unsigned char *>(problem.what),
									  static_cast<int>(strlen(problem.what)),
									  static_cast<uint64>(problem.error)) |
				  1);
	if (shared == nullptr || pg_atomic_read_u64(&shared->logged) == number)
		return;
	if (pg_atomic_exchange_u64(&shared->logged, number) != number && number != 0)
		LogProblem(problem);
}

bool
Make(Problem *problem)
{
	identity.system_identifier = GetSystemIdentifier();
	if (!GetSecret(secret_setting, secret_file, &identity.secret, problem))
		return false;
	if (!CryptoWorks())
	{
		*problem = {"OpenSSL has no ChaCha20-Poly1305", 0, false};
		return false;
	}
	identity.own = !NamespaceIsGiven();
	if (identity.own)
		return OwnNamespace(problem);
	strlcpy(identity.name_space, namespace_setting, sizeof(identity.name_space));
	return true;
}

} // namespace

char *
AppendHex(char *out, const uint8 *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++)
	{
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
	return out;
}

bool
NamespaceIsGiven()
{
	return namespace_setting != nullptr && namespace_setting[0] != '\0';
}

const Identity &
GetIdentity()
{
	Problem problem = {};

	if (identity.version == settings_version)
	{
		if (identity.usable || GetCurrentTimestamp() - made_at < kRetryUs)
			return identity;
	}
	identity = {};
	identity.usable = Make(&problem);
	identity.version = settings_version;
	made_at = GetCurrentTimestamp();
	Report(problem);
	return identity;
}

bool
HashKey(const Identity &of, const void *key, size_t length, EntryHash *hash)
{
	uint8 mac[kMacBytes];

	if (!Sign(of.secret, key, length, mac))
		return false;
	memcpy(hash->bytes, mac, sizeof(hash->bytes));
	return true;
}

int
HeadName(const Identity &of, const EntryHash &hash, char *name)
{
	char digits[2 * sizeof(hash.bytes) + 1];

	AppendHex(digits, hash.bytes, sizeof(hash.bytes));
	return snprintf(name, kNameRoom, "%s%s:{%s}", kNamePrefix, of.name_space, digits);
}

int
ChunkName(const Identity &of, const EntryHash &hash, const FillId &fill, uint32 n, char *name)
{
	char *end = name + HeadName(of, hash, name);

	*end++ = ':';
	end = AppendHex(end, fill.bytes, kFillIdBytes);
	end += snprintf(end, 12, ":%u", n);
	return static_cast<int>(end - name);
}

int
LeaseName(const Identity &of, const EntryHash &hash, char *name)
{
	char *end = name + HeadName(of, hash, name);

	strcpy(end, ":lease");
	return static_cast<int>(end - name + strlen(end));
}

void
DefineIdentitySettings()
{
	DefineCustomStringVariable(
		"cached_query.redis_secret", "Secret that values in Redis are signed with.",
		"Servers that share a namespace must have the same. Empty means the file "
		"cached_query.secret in the data directory, which is made when it is missing.",
		&secret_setting, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY | GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE,
		CheckSecret, AssignEither, ShowSecret);
	DefineCustomStringVariable("cached_query.redis_secret_file", "File that has the secret.",
							   "A path from the data directory, instead of "
							   "cached_query.redis_secret. Nobody but the server "
							   "may be able to read it.",
							   &secret_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, nullptr,
							   AssignEither, nullptr);
	DefineCustomStringVariable(
		"cached_query.redis_namespace", "Namespace of this server's entries in Redis.",
		"Replicas that are to share entries get the same. Empty means one of this data directory, "
		"which a copy of it does not share.",
		&namespace_setting, "", PGC_SIGHUP, 0, CheckNamespace, AssignEither, nullptr);
}

void
IdentityRequestShmem()
{
	RequestShared(sizeof(Shared));
}

void
IdentityInitShmem()
{
	shared = MakeOrFindShared<Shared>("cached_query redis identity",
									  [](Shared *made) { pg_atomic_init_u64(&made->logged, 0); });
}

} // namespace cq::redis
