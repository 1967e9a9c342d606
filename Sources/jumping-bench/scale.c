#include "bench.h"
void bench_scale(const struct options *options) { (void)options; }
