/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration: what is read, and every refusal with its line and its remedy. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY  "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\""
#define BUS  "bus = { key = " KEY "; };\n"
#define ONE  "{ id = 1; portals = [\"10.0.0.1:3260\"]; bus = [\"10.1.0.1:7600\"]; }"
#define TWO  "{ id = 2; portals = [\"[fd00::2]:3260\"]; bus = [\"10.1.0.2:7600\"]; }"
#define HEAD "cluster = \"c\";\ntarget = \"iqn.2026-01.com.example:c\";\n"
#define REST "disks = [\"/dev/a\", \"/dev/b\"];\n"
#define NONE "auth = { allow-none = true; };\n"
#define SELF "controller = 1;\n"
#define BOTH "controllers = (" ONE ",\n" TWO ");\n"
#define GOOD HEAD SELF BOTH REST NONE BUS

static struct hf_config *must_parse(const char *text, unsigned self)
{
	char message[HF_CONFIG_MESSAGE] = "";
	struct hf_config *c = NULL;
	int rc = hf_config_parse("f.conf", text, self, &c, message, sizeof(message));

	if (rc != 0)
		fail_msg("%s", message);
	return c;
}

static void reads_a_small_file(void **state)
{
	struct hf_config *c = must_parse(GOOD, 0);

	assert_string_equal(c->cluster, "c");
	assert_int_equal(c->controllers_len, 2);
	assert_int_equal(c->self->id, 1);
	assert_int_equal(c->self->rtpi, 1);
	assert_string_equal(c->self->name, "controller-1");
	assert_int_equal(c->disks.len, 2);
	assert_string_equal(c->disks.urls[1], "/dev/b");
	assert_int_equal(c->bus_key_len, 32);
	assert_int_equal(c->bus_key[1], 0x11);
	assert_int_equal(c->controllers[1].portals[0].sa.sa_family, AF_INET6);
	assert_int_equal(ntohs(c->controllers[1].portals[0].in6.sin6_port), 3260);
	assert_string_equal(c->controllers[1].bus_listen[0].text, "10.1.0.2:7600");
	assert_string_equal(c->iscsi.portals[0], "10.0.0.1:3260,1");
	assert_string_equal(c->iscsi.portals[1], "[fd00::2]:3260,2");
	assert_int_equal(c->iscsi.tpgt, 1);
	assert_int_equal(c->silence_ms, 1000);
	hf_config_destroy(c);
}

static void reads_every_option(void **state)
{
	struct hf_config *c = must_parse(
		"cluster = \"c\"; target = \"iqn.2026-01.COM.example:C\"; target-alias = \"al\";\n"
		"controllers = ({ id = 7; name = \"b\"; rtpi = 70; portals = [\"1.2.3.4:5\"];\n"
		"  bus = [\"1.2.3.4:6\", \"1.2.4.4:6\"]; bus-listen = [\"1.2.3.4:8\", "
		"\"1.2.4.4:8\"];\n"
		"  disks = [\"/x\"]; },\n"
		" { id = 3; name = \"a\"; portals = [\"1.2.3.5:5\"]; bus = [\"1.2.3.5:6\", "
		"\"1.2.4.5:6\"]; });\n"
		"disks = [\"/y\"];\n"
		"auth = { allow-none = false; user = \"u\"; secret = \"secretsecret1\";\n"
		"  mutual-user = \"m\"; mutual-secret = \"secretsecret2\"; discovery-chap = true;\n"
		"  initiators = ( { name = \"IQN.1993-08.org.debian:01:H\"; user = \"h\";\n"
		"    secret = \"secretsecret3\"; }, { name = \"*\"; } ); };\n" BUS
		"iscsi = { queue-depth = 7; digests-required = true;\n"
		"  max-recv-data-segment-bytes = 8192; max-burst-bytes = 65536;\n"
		"  first-burst-bytes = 4096; nop-interval-ms = 0; nop-timeout-ms = 1;\n"
		"  login-timeout-ms = 100; };\n"
		"on-peer-loss = \"freeze\"; loops = 2; busy-poll-us = 50;\n"
		"control-socket = \"/tmp/s\"; log-level = \"debug\";\n",
		7);

	assert_int_equal(c->controllers[0].id, 3); /* ascending */
	assert_int_equal(c->self->id, 7);
	assert_int_equal(c->self->rtpi, 70);
	assert_string_equal(c->self->bus_listen[1].text, "1.2.4.4:8");
	assert_int_equal(c->disks.len, 1);
	assert_string_equal(c->disks.urls[0], "/x"); /* its own list wins */
	assert_string_equal(c->iscsi.target_name, "iqn.2026-01.com.example:c");
	assert_string_equal(c->iscsi.acl[0].initiator, "iqn.1993-08.org.debian:01:h");
	assert_true(c->iscsi.acl[0].has_chap);
	assert_false(c->iscsi.acl[1].has_chap);
	assert_string_equal(c->iscsi.chap.secret, "secretsecret1");
	assert_string_equal(c->iscsi.mutual_chap.user, "m");
	assert_int_equal(c->iscsi.queue_depth, 7);
	assert_int_equal(c->iscsi.first_burst_bytes, 4096);
	assert_int_equal(c->log_level, HF_LOG_DEBUG);
	assert_int_equal(c->loops, 2);
	assert_string_equal(c->control_socket, "/tmp/s");
	hf_config_destroy(c);
}

static void fence_agents_are_read(void **state)
{
	struct hf_config *c = must_parse(HEAD SELF
		"controllers = ({ id = 1; portals = [\"10.0.0.1:3260\"]; bus = "
		"[\"10.1.0.1:7600\"];\n"
		" fence-command = [\"/bin/f\", \"--one\"]; }, { id = 2; portals = "
		"[\"10.0.0.2:3260\"];\n"
		" bus = [\"10.1.0.2:7600\"]; fence-command = [\"/bin/f\", \"--two\", \"-x\"]; "
		"});\n" REST NONE BUS "on-peer-loss = \"fence\"; fence = { driver = \"command\"; "
		"command-timeout-ms = 900; };",
		0);

	assert_int_equal(c->on_peer_loss, HF_CONFIG_FENCE);
	assert_int_equal(c->fence.driver, HF_CONFIG_FENCE_COMMAND);
	assert_int_equal(c->fence.command_ms, 900);
	assert_int_equal(c->controllers[1].fence_args_len, 3);
	assert_string_equal(c->controllers[1].fence_args[1], "--two");
	assert_null(c->controllers[1].fence_args[3]);
	hf_config_destroy(c);
}

#define THREE                                                                                      \
	"controllers = ({ id = 1; portals = [\"10.0.0.1:3260\"]; }, { id = 2; portals = "          \
	"[\"10.0.0.2:3260\"]; },\n { id = 16; portals = [\"10.0.0.3:3260\"]; });\n"

static void corosync_joins_more_than_two(void **state)
{
	struct hf_config *c = must_parse(HEAD SELF THREE REST NONE "bus = \"corosync\";", 0);

	assert_int_equal(c->bus, HF_CONFIG_BUS_COROSYNC);
	assert_int_equal(c->controllers_len, 3);
	assert_false(c->stop_without_quorum);
	assert_int_equal(c->bound_ms, 15000);
	hf_config_destroy(c);
	c = must_parse(HEAD SELF THREE REST NONE
		"bus = { engine = \"corosync\"; on-quorum-loss = \"stop\"; bound-ms = 7000; };",
		0);
	assert_true(c->stop_without_quorum);
	assert_int_equal(c->bound_ms, 7000);
	hf_config_destroy(c);
	c = must_parse(HEAD SELF THREE REST NONE "bus = \"corosync\"; on-peer-loss = \"fence\";"
						 "fence = { driver = \"pr\"; };",
		0);
	assert_int_equal(c->fence.driver, HF_CONFIG_FENCE_PR);
	hf_config_destroy(c);
	c = must_parse(HEAD SELF THREE REST NONE
		"bus = \"corosync\"; on-peer-loss = \"fence\";"
		"fence = { driver = \"lease\"; watchdog = \"/dev/watchdog\"; };",
		0);
	assert_int_equal(c->fence.driver, HF_CONFIG_FENCE_LEASE);
	hf_config_destroy(c);
}

/* Each bad text, and what the message must contain: the line, and the remedy's words. */
static const struct {
	const char *text, *message;
} bad[] = {
	{HEAD SELF THREE REST NONE, "there are 3 controllers, and the bus joins two"},
	{HEAD SELF THREE REST NONE "bus = \"coro\";", "the bus is \"coro\"; it is \"pair\" or"},
	{HEAD SELF THREE REST NONE "bus = { engine = \"corosync\"; key = " KEY "; };",
		"the bus has a key, and corosync has its own"},
	{HEAD SELF BOTH REST NONE "bus = \"corosync\";", "take it out"},
	{HEAD SELF THREE REST NONE "bus = \"corosync\"; on-peer-loss = \"fence\";"
				   "fence = { driver = \"lease\"; };",
		"a lease without a watchdog protects nothing"},
	{GOOD "\nbus = \"corosync\";", "f.conf:"},
	{"", "f.conf: \"cluster\" is missing; it takes a string in quotes"},
	{"cluster = ", "f.conf:1: syntax error"},
	{"cluster = \"a\"\ncluster = \"b\";", "f.conf:2: "},
	{"\nclutser = \"c\";", "f.conf:2: unknown option \"clutser\"; did you mean \"cluster\"?"},
	{"zzzzzzzzzzzz = 1;", "unknown option \"zzzzzzzzzzzz\"; holdfastd.conf(5)"},
	{"cluster = 7;", "f.conf:1: \"cluster\" takes a string in quotes"},
	{"cluster = \"\";", "f.conf:1: \"cluster\" has 0 characters; it takes 1 to 63"},
	{"@include \"/etc/passwd\"", "f.conf:1: @include is not supported"},
	{"\n  @include \"x\"", "f.conf:2: @include is not supported"},
	{"cluster = \"a;\nb", "a string has no closing quote"},
	{"loops = 4294967297;", "f.conf:1: the number 4294967297"},
	{"loops = 0x1ffffffff;", "f.conf:1: the number"},
	{"loops = 99;", "f.conf:1: \"loops\" is 99; it takes 0 to 32"},
	{"loops = -1;", "\"loops\" is -1; it takes 0 to 32"},
	{"loops = true;", "\"loops\" takes a whole number"},
	{"loops = 1.5;", "\"loops\" takes a whole number"},
	{"disks = \"a\";", "\"disks\" takes a list of strings"},
	{"disks = [1, 2];", "\"disks\" takes only strings"},
	{"disks = ();", "\"disks\" has 0 elements; it takes 1 to 64"},
	{"disks = [\"\"];", "a disk is a path or URL"},
	{"disks = [\"a\",\n\"a\"];", "a disk is listed twice"},
	{"controllers = (1);", "\"controllers\" takes a list of groups"},
	{"controllers = { };", "\"controllers\" takes a list of groups"},
	{"controllers = ({ });", "f.conf:1: \"id\" is missing"},
	{"controllers = ({ id = 17; });", "\"id\" is 17; it takes 1 to 16"},
	{"controllers = ({ id = 1; portals = [\"host:1\"]; });", "\"host:1\" is no address"},
	{"controllers = ({ id = 1; portals = [\"1.2.3.4\"]; });", "is no address"},
	{"controllers = ({ id = 1; portals = [\"1.2.3.4:0\"]; });", "is no address"},
	{"controllers = ({ id = 1; portals = [\"1.2.3.4:65536\"]; });", "is no address"},
	{"controllers = ({ id = 1; portals = [\"[::1:5\"]; });", "is no address"},
	{"controllers = ({ id = 1; portals = [\"::1:5\"]; });", "is no address"},
	{"controllers = ({ id = 1; portals = []; });", "\"portals\" has 0 elements"},
	{"target = \"hello\";", "\"hello\" is no iSCSI name"},
	{"target = \"iqn.2026 x\";", "an iSCSI name has letters"},
	{"log-level = \"loud\";", "it takes error, warning, notice, info or debug"},
	{"on-peer-loss = \"pray\";", "\"on-peer-loss\" is \"pray\"; it takes"},
	{GOOD "on-peer-loss = \"fence\";", "nothing says how; add fence"},
	{GOOD "fence = { driver = \"command\"; };",
		"there is a fence and on-peer-loss is \"freeze\""},
	{GOOD "on-peer-loss = \"fence\"; fence = { driver = \"hope\"; };", "\"hope\"; it takes"},
	{GOOD "on-peer-loss = \"fence\"; fence = { driver = \"lease\"; };",
		"a lease without a watchdog protects nothing"},
	{GOOD "on-peer-loss = \"fence\"; fence = { driver = \"lease\"; watchdog = "
	      "\"/dev/watchdog\"; "
	      "watchdog-ms = 1500; };",
		"a watchdog counts whole seconds"},
	{GOOD "on-peer-loss = \"fence\"; fence = { };", "\"driver\" is missing"},
	{GOOD "on-peer-loss = \"fence\"; fence = { driver = \"command\"; };",
		"controller 1 has no fence-command"},
	{"controllers = ({ id = 1; fence-command = [ \"fence_ipmilan\" ]; });", "the whole path"},
	{"bus = { key = \"00\"; };", "the bus key takes 32 to 64 bytes in hexadecimal"},
	{"bus = { key = \"xy\"; };", "the bus key takes"},
	{"auth = { secret = \"short\"; };", "\"secret\" has 5 characters; it takes 12 to 255"},
	{"auth = { initiators = ( { user = \"u\"; } ); };", "\"name\" is missing"},
	{HEAD SELF BOTH REST "auth = { };\n" BUS, "f.conf:7: auth names no user and secret"},
	{HEAD SELF BOTH REST "auth = { user = \"u\"; };\n" BUS, "f.conf:7: auth has a user and no"},
	{HEAD SELF BOTH REST "auth = { secret = \"secretsecret\"; };\n" BUS, "secret and no user"},
	{HEAD SELF BOTH REST "auth = { allow-none = true;\n initiators = ({ name = \"iqn.a\"; },\n"
			     "{ name = \"IQN.A\"; }); };\n" BUS,
		"f.conf:9: initiator iqn.a is listed twice"},
	{HEAD SELF BOTH REST "auth = { initiators = ({ name = \"iqn.a\"; }); };\n" BUS,
		"f.conf:7: initiator iqn.a has no user and secret"},
	{HEAD SELF BOTH REST
		"auth = { user = \"u\"; secret = \"secretsecret\"; mutual-user = \"m\";"
		"mutual-secret = \"secretsecret\"; };\n" BUS,
		"secret and mutual-secret are equal; they must differ"},
	{HEAD SELF BOTH REST "auth = { mutual-user = \"m\"; allow-none = true; };\n" BUS,
		"auth (mutual) has a user and no secret"},
	{HEAD SELF BOTH REST "auth = { allow-none = true; discovery-chap = true; };\n" BUS,
		"discovery-chap is set and auth has no user"},
	{HEAD SELF "controllers = (" ONE ",\n" ONE ");\n" REST NONE BUS,
		"f.conf:5: two controllers have id 1"},
	{HEAD SELF
		"controllers = (" ONE ",\n"
		"{ id = 2; rtpi = 1; portals = [\"1.2.3.4:5\"]; bus = [\"1.2.3.4:6\"]; });\n" REST
			NONE BUS,
		"f.conf:5: controllers 1 and 2 have rtpi 1"},
	{HEAD SELF "controllers = (" ONE ",\n"
		   "{ id = 2; portals = [\"10.0.0.1:3260\"]; bus = [\"1.2.3.4:6\"]; });\n" REST NONE
			   BUS,
		"have the same portal 10.0.0.1:3260"},
	{HEAD SELF "controllers = (" ONE ",\n"
		   "{ id = 2; portals = [\"1.2.3.4:3260\"]; });\n" REST NONE BUS,
		"f.conf:5: controller 2 has no bus address"},
	{HEAD SELF "controllers = (" ONE ",\n{ id = 2; portals = [\"1.2.3.4:3260\"]; "
		   "bus = [\"1.2.3.4:1\", \"1.2.3.5:1\"]; });\n" REST NONE BUS,
		"a link has one address at every controller"},
	{HEAD BOTH REST NONE BUS, "which controller is this one? Say controller = N"},
	{HEAD "controller = 3;\n" BOTH REST NONE BUS, "controller 3 is not in the list"},
	{HEAD SELF BOTH NONE BUS, "no disks; add disks"},
	{HEAD SELF BOTH REST NONE, "the bus has no key; add bus"},
	{HEAD SELF BOTH REST NONE "bus = { key-file = \"/k\"; key = " KEY "; };",
		"keep one of them"},
	{HEAD SELF BOTH REST NONE "bus = { key = " KEY "; heartbeat-ms = 500; };",
		"f.conf:8: silence-ms is 1000 and heartbeat-ms 500; silence takes at least three"},
	{HEAD SELF BOTH REST NONE "bus = { key = " KEY "; bound-ms = 500; };",
		"bound-ms is 500 and silence-ms 1000"},
	{GOOD "iscsi = { max-burst-bytes = 512; };", "first-burst-bytes is larger"},
};

static void refuses_with_line_and_remedy(void **state)
{
	for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
		struct hf_config *const untouched = (struct hf_config *)&bad[i];
		struct hf_config *c = untouched;
		char message[HF_CONFIG_MESSAGE] = "";

		if (hf_config_parse("f.conf", bad[i].text, 0, &c, message, sizeof(message)) == 0)
			fail_msg("accepted: %s", bad[i].text);
		if (!strstr(message, bad[i].message))
			fail_msg(
				"%s\nsaid:   %s\nwanted: %s", bad[i].text, message, bad[i].message);
		assert_ptr_equal(c, untouched);
	}
}

static uint64_t digest_of(const char *text, unsigned self)
{
	struct hf_config *c = must_parse(text, self);
	uint64_t digest = hf_config_digest(c);

	hf_config_destroy(c);
	return digest;
}

static void digest_is_of_what_the_cluster_shares(void **state)
{
	uint64_t digest = digest_of(GOOD, 1);

	/* Who one is, how one reaches disks, and how much one logs, may differ. */
	assert_int_equal(digest, digest_of(GOOD, 2));
	assert_int_equal(digest,
		digest_of(HEAD "controllers = (" TWO "," ONE "); disks = [\"/z\"];\n" NONE BUS
			       "log-level = \"debug\"; loops = 3;",
			1));
	/* Who may come in, and when a peer counts as lost, may not. */
	assert_int_not_equal(
		digest, digest_of(HEAD BOTH REST BUS "auth = { allow-none = true; "
						     "initiators = ( { name = \"iqn.a\"; } ); };",
				1));
	assert_int_not_equal(digest,
		digest_of(HEAD BOTH REST NONE "bus = { key = " KEY "; silence-ms = 900; };", 1));
	assert_int_not_equal(
		digest, digest_of("cluster = \"d\"; target = \"iqn.2026-01.com.example:"
				  "c\";\n" BOTH REST NONE BUS,
				1));
}

static void write_file(const char *path, mode_t mode, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void secrets_that_others_may_read_are_refused(void **state)
{
	char dir[] = "/tmp/hf-config-XXXXXX", conf[64], key[64], text[1024], message[512] = "";
	struct hf_config *c = NULL;

	assert_non_null(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/c", dir);
	snprintf(key, sizeof(key), "%s/k", dir);
	snprintf(text, sizeof(text), "%s bus = { key-file = \"%s\"; };", HEAD SELF BOTH REST NONE,
		key);

	assert_int_not_equal(hf_config_load(conf, 0, &c, message, sizeof(message)), 0);
	assert_non_null(strstr(message, "No such file"));

	write_file(conf, 0644, GOOD);
	assert_int_not_equal(hf_config_load(conf, 0, &c, message, sizeof(message)), 0);
	assert_non_null(strstr(message, "chmod 600"));

	write_file(conf, 0644, text); /* no secret in this one */
	write_file(key, 0640, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n");
	assert_int_not_equal(hf_config_load(conf, 0, &c, message, sizeof(message)), 0);
	assert_non_null(strstr(message, "others may read the bus key"));

	assert_int_equal(chmod(key, 0600), 0);
	if (hf_config_load(conf, 0, &c, message, sizeof(message)) != 0)
		fail_msg("%s", message);
	assert_int_equal(c->bus_key_len, 32);
	hf_config_destroy(c);
	c = NULL;

	write_file(key, 0600, "0011\n");
	assert_int_not_equal(hf_config_load(conf, 0, &c, message, sizeof(message)), 0);
	assert_non_null(strstr(message, "openssl rand -hex 32"));
	assert_null(c);

	unlink(conf);
	unlink(key);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_small_file),
		cmocka_unit_test(fence_agents_are_read),
		cmocka_unit_test(corosync_joins_more_than_two),
		cmocka_unit_test(reads_every_option),
		cmocka_unit_test(refuses_with_line_and_remedy),
		cmocka_unit_test(digest_is_of_what_the_cluster_shares),
		cmocka_unit_test(secrets_that_others_may_read_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
