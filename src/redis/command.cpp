/*
 * command.cpp
 *		One command at a time, and what replies to simple ones say.
 */
#include "pg.h"
#include "redis/command.h"

namespace cq::redis
{
namespace
{

struct Command
{
	const Slice *argv;
	int argc;
	bool (*take)(void *arg, const Reply &reply);
	void *arg;
};

int
AskCommand(void *arg, int, Slice *argv, int)
{
	const Command *command = static_cast<Command *>(arg);

	for (int i = 0; i < command->argc; i++)
		argv[i] = command->argv[i];
	return command->argc;
}

bool
TakeCommand(void *arg, int, const Reply &reply)
{
	const Command *command = static_cast<Command *>(arg);

	return command->take == nullptr || command->take(command->arg, reply);
}

} // namespace

bool
RunCommand(Slice route, const Slice *argv, int argc, bool (*take)(void *, const Reply &), void *arg)
{
	Command command = {argv, argc, take, arg};

	return Run({route, 1, 1, AskCommand, TakeCommand, &command}) == Result::done;
}

int64
NumberIn(const Reply &reply)
{
	char digits[32] = {};

	if (reply.length == 0 || reply.length >= sizeof(digits))
		return -1;
	memcpy(digits, reply.bytes, reply.length);
	return strtoll(digits, nullptr, 10);
}

bool
TimeIn(const Reply &reply, int64 *ms)
{
	int64 seconds;
	int64 us;

	if (reply.type != Reply::Type::array || reply.count != 2)
		return false;
	seconds = NumberIn(reply.children[0]);
	us = NumberIn(reply.children[1]);
	if (seconds < 0 || us < 0)
		return false;
	*ms = seconds * 1000 + us / 1000;
	return true;
}

} // namespace cq::redis
