/* Millions of records per second that libbpf's ring buffer consumer hands to a callback. */
#include <bpf/bpf.h>
#include "peer.h"
#include "ringfill.skel.h"

#define RECORDS 100000

static struct ringfill_bpf *skel;
static struct ring_buffer *ring;

/* Field for field the struct record of ringfill.bpf.c. */
struct record {
	__u64 ts;
	__u32 pid, tid;
	__u64 latency, offset, size, inode;
	char comm[16];
	__u32 kind;
	__s32 result;
};

static struct record last;
static __u64 latency;
static int nr_seen;

static int on_record(void *ctx, void *data, size_t size)
{
	last = *(volatile struct record *)data; /* the whole record, as the dataclass has it */
	latency += last.latency;
	nr_seen++;
	return 0;
}

static double measure(void)
{
	char packet[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = RECORDS);
	double start;
	int n;

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.produce), &opts))
		fail("test run");
	nr_seen = 0;
	start = now_ns();
	n = ring_buffer__consume(ring);
	if (n != RECORDS || nr_seen != RECORDS || !latency)
		fail("consume");
	return RECORDS / (now_ns() - start) * 1e3;
}

int main(void)
{
	skel = ringfill_bpf__open_and_load();
	if (!skel)
		fail("open and load");
	ring = ring_buffer__new(bpf_map__fd(skel->maps.records), on_record, NULL, NULL);
	if (!ring)
		fail("ring buffer");
	serve(measure);
	ring_buffer__free(ring);
	ringfill_bpf__destroy(skel);
	return 0;
}
