/* core once|serve: nanoseconds that a load of tasktree, an object with CO-RE relocations, takes. */
#include <string.h>
#include "peer.h"
#include "tasktree.skel.h"

static double measure_load(void)
{
	struct tasktree_bpf *skel = tasktree_bpf__open();
	double start, end;

	if (!skel)
		fail("open");
	start = now_ns();
	if (tasktree_bpf__load(skel))
		fail("load");
	end = now_ns();
	tasktree_bpf__destroy(skel);
	return end - start;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "once"))
		printf("%.1f\n", measure_load());
	else
		serve(measure_load);
	return 0;
}
