/* open_load open|load: nanoseconds that one open, or one load, of execsnoop's skeleton takes. */
#include <string.h>
#include "peer.h"
#include "execsnoop.skel.h"

static double measure_open(void)
{
	double start = now_ns(), end;
	struct execsnoop_bpf *skel = execsnoop_bpf__open();

	end = now_ns();
	if (!skel)
		fail("open");
	execsnoop_bpf__destroy(skel);
	return end - start;
}

static double measure_load(void)
{
	struct execsnoop_bpf *skel = execsnoop_bpf__open();
	double start, end;

	if (!skel)
		fail("open");
	start = now_ns();
	if (execsnoop_bpf__load(skel))
		fail("load");
	end = now_ns();
	execsnoop_bpf__destroy(skel);
	return end - start;
}

int main(int argc, char **argv)
{
	serve(argc == 2 && !strcmp(argv[1], "open") ? measure_open : measure_load);
	return 0;
}
