/*
 * secret.cpp
 *		Reading the secret, and making the file that has it.
 *
 * Files are opened by BasicOpenFilePerm(), since OpenTransientFile() may raise an error; nothing
 * between opening and closing can raise one or wait for anything but the disk.
 */
#include "pg.h"
#include "redis/secret.h"

extern "C" {
#include "common/file_perm.h"
#include "storage/fd.h"
}

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cq::redis
{
namespace
{

constexpr char kFile[] = "cached_query.secret"; // in the data directory, where every process is
constexpr char kSettingLabel[] = "cached_query secret";

enum class Found
{
	secret,
	nothing,
	problem
};

Found
Fail(Problem *problem, const char *what, int error = 0)
{
	*problem = {what, error, false};
	return Found::problem;
}

/*
 * A user who can't read the data directory must not be able to read the file.  With group access to
 * that directory, base backups arrive with mode 0640.
 */
bool
TooOpen(const struct stat &status)
{
	return (status.st_mode & 077 & ~static_cast<mode_t>(pg_file_create_mode)) != 0;
}

Found
ReadOpened(int fd, Secret *secret, Problem *problem)
{
	uint8 bytes[kSecretBytes + 1];
	struct stat status;

	if (fstat(fd, &status) != 0)
		return Fail(problem, "could not stat file \"%s\"", errno);
	if (!S_ISREG(status.st_mode))
		return Fail(problem, "\"%s\" is not a regular file");
	if (status.st_uid != geteuid())
		return Fail(problem, "file \"%s\" belongs to another user");
	if (TooOpen(status))
		return Fail(problem, "file \"%s\" can be read or written by others");

	ssize_t length = read(fd, bytes, sizeof(bytes));

	if (length < 0)
		return Fail(problem, "could not read file \"%s\"", errno);
	if (length != static_cast<ssize_t>(kSecretBytes))
		return Fail(problem, "file \"%s\" does not have exactly 32 bytes");
	memcpy(secret->bytes, bytes, kSecretBytes);
	explicit_bzero(bytes, sizeof(bytes));
	return Found::secret;
}

Found
ReadFile(Secret *secret, Problem *problem)
{
	/* not blocking, should somebody have put a FIFO there */
	int fd = BasicOpenFilePerm(kFile, O_RDONLY | O_NONBLOCK | PG_BINARY, 0);

	if (fd < 0)
		return errno == ENOENT ? Found::nothing
							   : Fail(problem, "could not open file \"%s\"", errno);

	Found found = ReadOpened(fd, secret, problem);

	close(fd);
	return found;
}

bool
WriteOpened(int fd, const Secret &secret)
{
	ssize_t length;

	errno = 0;
	length = write(fd, secret.bytes, kSecretBytes);
	if (length != static_cast<ssize_t>(kSecretBytes))
	{
		if (errno == 0)
			errno = ENOSPC;
		return false;
	}
	return pg_fsync(fd) == 0;
}

/* The new name of the file survives a crash of the machine. */
bool
SyncDirectory()
{
	int fd = BasicOpenFilePerm(".", O_RDONLY | PG_BINARY, 0);
	bool ok;

	if (fd < 0)
		return false;
	ok = pg_fsync(fd) == 0 || errno == EBADF || errno == EINVAL; /* some systems can't */
	close(fd);
	return ok;
}

/* As PostgreSQL wants it of the key of an SSL certificate. */
bool
IsPrivate(const struct stat &status)
{
	if (status.st_uid == 0)
		return (status.st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)) == 0;
	return status.st_uid == geteuid() && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

bool
ReadPrivate(int fd, char *text, size_t size, Problem *problem)
{
	struct stat status;
	ssize_t length;

	if (fstat(fd, &status) != 0)
		Fail(problem, "could not stat the file", errno);
	else if (!S_ISREG(status.st_mode))
		Fail(problem, "it is not a regular file");
	else if (!IsPrivate(status))
		Fail(problem, "it must belong to the server's user with mode 0600 or less, or to root with "
					  "0640 or less");
	if (problem->what != nullptr)
		return false;
	length = read(fd, text, size - 1);
	if (length < 0)
		Fail(problem, "could not read the file", errno);
	else if (length == static_cast<ssize_t>(size) - 1)
		Fail(problem, "it is too long");
	else
	{
		text[length] = '\0';
		if (strlen(text) != static_cast<size_t>(length))
			Fail(problem, "it has a zero byte");
		while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
			text[--length] = '\0';
	}
	return problem->what == nullptr;
}

/* HMAC as a key derivation: any text becomes 32 bytes, none of which show a part of it. */
bool
Derive(const char *text, Secret *secret, Problem *problem)
{
	static_assert(kMacBytes == kSecretBytes);
	Secret label = {};

	memcpy(label.bytes, kSettingLabel, sizeof(kSettingLabel));
	if (Sign(label, text, strlen(text), secret->bytes))
		return true;
	Fail(problem, "OpenSSL has no SHA-256");
	return false;
}

bool
FromFile(const char *path, Secret *secret, Problem *problem)
{
	char text[4096];
	bool good = ReadPrivateFile(path, text, sizeof(text), problem);

	if (good && strlen(text) < kMinSecretText)
	{
		Fail(problem, "it has less than 16 bytes");
		good = false;
	}
	good = good && Derive(text, secret, problem);
	explicit_bzero(text, sizeof(text));
	problem->of_setting = true;
	return good;
}

/* A file with a new secret under a name of this process; false with errno. */
bool
WriteTemporary(const char *name)
{
	Secret secret;
	int fd;
	bool ok;

	if (!pg_strong_random(secret.bytes, kSecretBytes))
	{
		errno = EIO;
		return false;
	}
	unlink(name); /* left by a process of the same id that crashed */
	fd = BasicOpenFilePerm(name, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY, S_IRUSR | S_IWUSR);
	ok = fd >= 0 && WriteOpened(fd, secret);
	explicit_bzero(&secret, sizeof(secret));

	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return ok;
}

/* Makes the file.  False if it is there already, or can't be made; then problem says why. */
bool
MakeFile(Problem *problem)
{
	char name[64];
	int error;

	snprintf(name, sizeof(name), "%s.%d", kFile, MyProcPid);
	if (!WriteTemporary(name))
	{
		Fail(problem, "could not write file \"%s\"", errno);
		unlink(name);
		return false;
	}
	/* Unlike a rename this does not replace what another process made meanwhile. */
	error = link(name, kFile) == 0 ? 0 : errno;
	unlink(name);
	if (error == 0 && !SyncDirectory())
	{
		/* After a crash the file may be gone, and another secret is made.  Nothing is lost by that. */
		ereport(LOG, (errcode_for_file_access(),
					  errmsg("could not fsync the data directory for file \"%s\": %m", kFile)));
	}
	if (error != 0 && error != EEXIST)
		Fail(problem, "could not create file \"%s\"", error);
	return error == 0;
}

void
LogMade()
{
	if (RecoveryInProgress())
		ereport(LOG,
				(errmsg("cached_query made a secret for Redis in file \"%s\"", kFile),
				 errdetail("This standby was not given the file of its primary, and shares "
						   "nothing with it in Redis."),
				 errhint("Set \"cached_query.redis_secret\" and "
						 "\"cached_query.redis_namespace\" to the same values on both, or copy "
						 "the file from the primary.")));
	else
		ereport(LOG, (errmsg("cached_query made a secret for Redis in file \"%s\"", kFile)));
}

} // namespace

bool
ReadPrivateFile(const char *path, char *text, size_t size, Problem *problem)
{
	int fd = BasicOpenFilePerm(path, O_RDONLY | O_NONBLOCK | PG_BINARY, 0);
	bool good;

	*problem = {};
	if (fd < 0)
	{
		Fail(problem, "could not open the file", errno);
		return false;
	}
	good = ReadPrivate(fd, text, size, problem);
	close(fd);
	return good;
}

bool
GetSecret(const char *setting, const char *file, Secret *secret, Problem *problem)
{
	Found found;

	*problem = {};
	if (file != nullptr && file[0] != '\0')
		return FromFile(file, secret, problem);
	if (setting != nullptr && setting[0] != '\0')
		return Derive(setting, secret, problem);
	found = ReadFile(secret, problem);
	if (found == Found::nothing)
	{
		if (MakeFile(problem))
			LogMade();
		else if (problem->what != nullptr)
			return false;
		found = ReadFile(secret, problem);
		if (found == Found::nothing)
			found = Fail(problem, "could not open file \"%s\"", ENOENT);
	}
	return found == Found::secret;
}

void
LogProblem(const Problem &problem)
{
	char text[256];

	/* The formats are those above; one without the name ignores it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), problem.what, kFile);
#pragma GCC diagnostic pop
	if (problem.of_setting)
	{
		errno = problem.error;
		ereport(LOG, (errcode(ERRCODE_CONFIG_FILE_ERROR),
					  problem.error != 0 ? errmsg("cached_query does not use Redis: file of "
												  "\"cached_query.redis_secret_file\": %s: %m",
												  text)
										 : errmsg("cached_query does not use Redis: file of "
												  "\"cached_query.redis_secret_file\": %s",
												  text)));
		return;
	}
	errno = problem.error;
	ereport(LOG,
			(problem.error != 0 ? errcode_for_file_access() : errcode(ERRCODE_CONFIG_FILE_ERROR),
			 problem.error != 0 ? errmsg("cached_query does not use Redis: %s: %m", text)
								: errmsg("cached_query does not use Redis: %s", text),
			 strstr(problem.what, "%s") == nullptr
				 ? 0
				 : errhint("The file must have 32 random bytes, belong to the server's user and "
						   "have mode 0600. If it is removed, a new one is made. "
						   "\"cached_query.redis_secret\" is used instead of it.")));
}

} // namespace cq::redis
