#include "bench.h"
void bench_cores(const struct options *options) { (void)options; }
