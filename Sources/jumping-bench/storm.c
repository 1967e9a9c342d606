#include "bench.h"
void bench_storm(const struct options *options) { (void)options; }
