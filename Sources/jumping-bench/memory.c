#include "bench.h"
void bench_memory(const struct options *options) { (void)options; }
