// Counts the heap calls of the calling thread.
#ifndef ALLOCATION_COUNT_H
#define ALLOCATION_COUNT_H

#include <stdint.h>

void allocation_count_begin(void);
void allocation_count_end(uint64_t *allocations, uint64_t *frees);

#endif
