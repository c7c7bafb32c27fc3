/* map lookup|update: nanoseconds that one operation on execsnoop's hash map (u32 to u64) takes. */
#include <string.h>
#include <bpf/bpf.h>
#include "peer.h"
#include "execsnoop.skel.h"

#define KEYS 1000
#define PASSES 20

static int fd;

static double measure_update(void)
{
	double start = now_ns();

	for (int pass = 0; pass < PASSES; pass++)
		for (__u32 key = 0; key < KEYS; key++) {
			__u64 value = key;

			if (bpf_map_update_elem(fd, &key, &value, BPF_ANY))
				fail("update");
		}
	return (now_ns() - start) / (KEYS * PASSES);
}

static double measure_lookup(void)
{
	double start = now_ns();
	__u64 value, sum = 0;

	for (int pass = 0; pass < PASSES; pass++)
		for (__u32 key = 0; key < KEYS; key++) {
			if (bpf_map_lookup_elem(fd, &key, &value))
				fail("lookup");
			sum += value;
		}
	if (sum != (__u64)PASSES * KEYS * (KEYS - 1) / 2)
		fail("the sum of what was looked up");
	return (now_ns() - start) / (KEYS * PASSES);
}

int main(int argc, char **argv)
{
	struct execsnoop_bpf *skel = execsnoop_bpf__open_and_load();

	if (!skel)
		fail("open and load");
	fd = bpf_map__fd(skel->maps.counts);
	measure_update(); /* all keys are there from here on */
	serve(argc == 2 && !strcmp(argv[1], "lookup") ? measure_lookup : measure_update);
	execsnoop_bpf__destroy(skel);
	return 0;
}
