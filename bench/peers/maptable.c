/* Milliseconds that libbpf's batch look-up of a whole hash map of 100,000 entries takes. */
#include <string.h>
#include <bpf/bpf.h>
#include "peer.h"
#include "maptable.skel.h"

#define ENTRIES 100000

/* Field for field the struct stat of maptable.bpf.c. */
struct stat {
	__u64 calls, bytes, latency;
	__u32 pid, kind;
};

static int fd;
static __u32 keys[ENTRIES];
static struct stat values[ENTRIES];

static double measure(void)
{
	__u32 batch, *from = NULL, done = 0, count;
	double start = now_ns();
	int err = 0;

	while (!err) {
		count = ENTRIES - done;
		err = bpf_map_lookup_batch(fd, from, &batch, keys + done, values + done, &count, NULL);
		if (err && err != -ENOENT)
			fail("lookup batch");
		from = &batch;
		done += count;
	}
	start = (now_ns() - start) / 1e6;
	if (done != ENTRIES)
		fail("number of entries");
	return start;
}

int main(void)
{
	struct maptable_bpf *skel = maptable_bpf__open_and_load();
	struct stat value = {};

	if (!skel)
		fail("open and load");
	fd = bpf_map__fd(skel->maps.stats);
	for (__u32 key = 0; key < ENTRIES; key++) {
		value.calls = key;
		if (bpf_map_update_elem(fd, &key, &value, BPF_ANY))
			fail("update");
	}
	serve(measure);
	maptable_bpf__destroy(skel);
	return 0;
}
