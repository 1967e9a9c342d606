#include "bench.h"
void bench_flood(const struct options *options) { (void)options; }
