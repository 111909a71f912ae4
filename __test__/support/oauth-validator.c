/*
 * A validator of OAuth tokens for PostgreSQL 18 (manual, "OAuth Validator Modules"): who is to be let in as ann has the
 * token "token-of-ann". What it needs of the server's headers stands here, so that a compiler is enough.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern char *pstrdup(const char *text);

struct abi {
	int version, funcmaxargs, indexmaxkeys, namedatalen, float8byval;
	char extra[32];
};

struct magic {
	int length;
	struct abi abi;
	const char *name, *version;
};

struct state {
	int server_version;
	void *private_data;
};

struct result {
	bool authorized;
	char *authn_id;
};

struct callbacks {
	uint32_t magic;
	void (*startup)(struct state *);
	void (*shutdown)(struct state *);
	bool (*validate)(const struct state *, const char *token, const char *role, struct result *);
};

const struct magic *Pg_magic_func(void)
{
	static const struct magic magic = {sizeof(struct magic), {1800, 100, 32, 64, 1, "PostgreSQL"}, NULL, NULL};

	return &magic;
}

static bool validate(const struct state *state, const char *token, const char *role, struct result *result)
{
	char expected[128];

	(void) state;
	snprintf(expected, sizeof expected, "token-of-%s", role);
	result->authorized = strcmp(token, expected) == 0;
	if (result->authorized)
		result->authn_id = pstrdup(role);
	return true;
}

const struct callbacks *_PG_oauth_validator_module_init(void)
{
	static const struct callbacks callbacks = {0x20250220, NULL, NULL, validate};

	return &callbacks;
}
