/* Millions of records per second that libbpf's perf buffer consumer hands to a callback. */
#include <bpf/bpf.h>
#include "peer.h"
#include "perffill.skel.h"

#define RECORDS 100000
#define PAGES 4096

static struct perffill_bpf *skel;
static struct perf_buffer *buffer;

/* Field for field the struct record of perffill.bpf.c. */
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

static void on_record(void *ctx, int cpu, void *data, __u32 size)
{
	last = *(volatile struct record *)data; /* the whole record, as the dataclass has it */
	latency += last.latency;
	nr_seen++;
}

static void on_lost(void *ctx, int cpu, __u64 count)
{
	fail("records lost");
}

static double measure(void)
{
	char packet[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = RECORDS);
	double start;

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.produce), &opts))
		fail("test run");
	nr_seen = 0;
	start = now_ns();
	if (perf_buffer__consume(buffer) < 0 || nr_seen != RECORDS || !latency)
		fail("consume");
	return RECORDS / (now_ns() - start) * 1e3;
}

int main(void)
{
	skel = perffill_bpf__open_and_load();
	if (!skel)
		fail("open and load");
	buffer = perf_buffer__new(bpf_map__fd(skel->maps.records), PAGES, on_record, on_lost, NULL,
				  NULL);
	if (!buffer)
		fail("perf buffer");
	serve(measure);
	perf_buffer__free(buffer);
	perffill_bpf__destroy(skel);
	return 0;
}
